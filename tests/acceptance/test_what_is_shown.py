"""What somebody sees who has a key that may read, or none: every GET there is, searched for what it must not show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_access import make_key
from tests.support.product import BAD, ORDERS, Product, wait_for

PLANTED = {
    "SUPPORT_PASSWORD": "correct-horse-Battery9",
    "CLIENT_SECRET": "client-Secret-77zq",
    "REFRESH_TOKEN": "refresh-Token-31fp",
}
OPTIONS = {"api_token": "tok-55aa66bb77cc", "dsn": "postgres://bob:Hunter2xyz@db.example/x"}
PIPELINES = (
    ORDERS.format(every="1h")
    + """
[pipelines.own]
run = "own:work"
[pipelines.own.sources.one]
options.api_token = "tok-55aa66bb77cc"
options.dsn = "postgres://bob:Hunter2xyz@db.example/x"
[pipelines.mail]
every = "1h"
[pipelines.mail.sources.support]
host = "127.0.0.1"
port = 9
tls = "none"
username = "support"
password_env = "SUPPORT_PASSWORD"
[pipelines.mail.sources.cloud]
host = "127.0.0.1"
port = 9
tls = "none"
username = "cloud"
[pipelines.mail.sources.cloud.oauth]
token_url = "http://127.0.0.1:9/token"
client_id = "us"
client_secret_env = "CLIENT_SECRET"
refresh_token_env = "REFRESH_TOKEN"
"""
)
WORK = """
def work(run):
    run.step("processing", f"as {run.options['dsn']}")
    run.fail("a", "refused token=" + run.options["api_token"])
    run.fail("b", ValueError(f"cannot reach {run.options['dsn']} in " + __file__))
"""


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    (tmp_path / "own.py").write_text(WORK)
    product = Product(tmp_path)
    product.configure(PIPELINES)
    product.drop("bad.csv", BAD)
    yield product
    product.kill()


def all_paths(product: Product, headers: dict[str, str]) -> list[str]:
    """Every GET of the description, its parameters filled in with what there is."""
    paths = product.http.get("/schema/openapi.json", headers=headers).json()["paths"]
    failures = product.http.get("/api/failures", headers=headers).json()["failures"]
    failure = next(f for f in failures if f["pipeline"] == "own")
    values = {
        "failure_id": str(failure["id"]),
        "run_id": failure["run_id"],
        "failure_group": failure["failure_group"],
        "group": failure["failure_group"],
        "pipeline": "own",
        "name": "support",
        "account": "support",
        "ingestion": "orders",
        "source": "orders",
        "path": "bad.csv",
    }
    filled = []
    for path, operations in paths.items():
        if "get" in operations:
            for name, value in values.items():
                path = path.replace("{" + name + "}", value)  # noqa: PLW2901 (filled in)
            filled.append(path)
    return filled


@pytest.mark.requirement("S6")
def test_a_key_that_may_read_shows_no_secret_and_no_key_shows_no_folder(product: Product) -> None:
    key = make_key(product, "ann", "read")
    product.start(env=os.environ | PLANTED)
    reads = {"x-api-key": key}
    admin = {"x-api-key": make_key(product, "root", "admin")}

    def run_all() -> bool:
        answers = [
            product.http.post(f"/api/pipelines/{name}/run", headers=admin, json={})
            for name in ("own", "mail", "ingest")
        ]
        return all(answer.status_code in (202, 409) for answer in answers)

    wait_for(run_all)
    wait_for(lambda: product.http.get("/api/failures", headers=reads).json()["total_failures"] >= 5)
    secrets = [*PLANTED.values(), *OPTIONS.values(), "Hunter2xyz", key]
    paths = all_paths(product, reads)
    assert len(paths) > 40
    for path in paths:
        with_key = product.http.get(path, headers=reads).text
        assert [secret for secret in secrets if secret in with_key] == [], path
        without = product.http.get(path)
        if without.status_code != 401:
            assert str(product.folder) not in without.text, path
    log = product.log.read_text()
    assert [secret for secret in secrets if secret in log] == []


@pytest.mark.requirement("S6")
def test_health_names_what_is_wrong_without_its_folder(product: Product) -> None:
    make_key(product, "ann", "read")
    product.start(env=os.environ | PLANTED)
    (product.folder / "data/keys.json").write_text("{")
    wait_for(lambda: product.http.get("/readyz").status_code == 503)
    for path in ("/healthz", "/readyz"):
        said = product.http.get(path).text
        assert "keys.json" in said
        assert str(product.folder) not in said


@pytest.mark.requirement("S6")
def test_an_address_with_a_password_in_it_is_refused_where_it_would_be_shown(
    product: Product,
) -> None:
    text = product.config.read_text()
    product.config.write_text(
        text.replace("http://127.0.0.1:9/", "http://us:s3cretPw@127.0.0.1:9/")
    )
    done = product.command("check-config", str(product.config), env=os.environ | PLANTED)
    assert done.returncode == 2
    assert "token_url" in done.stderr
    assert "s3cretPw" not in done.stdout + done.stderr
