"""Secrets of every kind go into a running triaged and come out of nothing that it writes or answers."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.support.product import BAD, Product, wait_for
from tests.support.secrets import BARE, QUOTING, Secret, named, pem, shaped

PIPELINE = """
import json, logging
from pathlib import Path

log = logging.getLogger("library.client")

def leak(run):
    texts = json.loads(Path(run.options["texts"]).read_text())
    for number, text in enumerate(texts):
        run.step("connecting", text)
        log.warning("sent %s", text, extra={"detail": text, "password": "LOGGED"})
        try:
            try:
                raise ConnectionError(text)
            except ConnectionError as cause:
                raise ValueError(f"item {number}: {text}") from cause
        except ValueError as error:
            log.exception("failed")
            run.fail(f"{number} {text}"[:4000], error, column=text)
        run.fail(f"text {number}", text)
    raise RuntimeError(texts[0])
"""
CONFIG = """
[pipelines.leak]
run = "own:leak"
every = "1h"
[pipelines.leak.sources.office]
options = {{ texts = "{texts}" }}
"""
INGEST = """
[pipelines.ingest]
every = "200ms"
[pipelines.ingest.sources.orders]
files = "inbox/*.csv"
table = "orders"
settle = "1ms"
columns = { order_id = "BIGINT", amount = "DECIMAL(10,2)" }
"""
LOGGED = "Zq7kV2xW9pTm4c"


def _texts() -> tuple[list[Secret], list[str]]:
    """Every kind of secret, each with random parts of its own, and the texts that carry them."""
    secrets, texts = [], []
    for secret in (*shaped("acceptance"), pem("acceptance")):
        secrets.append(secret)
        texts.append(f"refused: {secret.text} is not valid")
    for name, wrapper in {**QUOTING, **BARE}.items():
        secret = next(iter(named(f"acceptance {name}")))
        secrets.append(secret)
        texts.append(wrapper(secret.text))
    return secrets, texts


@pytest.fixture
def leaking(product: Product) -> tuple[Product, list[Secret]]:
    """A pipeline and an ingestion whose every word holds a secret, run once."""
    secrets, texts = _texts()
    file = product.folder / "texts.json"
    file.write_text(json.dumps(texts))
    (product.folder / "own.py").write_text(PIPELINE.replace("LOGGED", LOGGED))
    product.configure(CONFIG.format(texts=file) + INGEST)
    in_a_name = next(iter(shaped("file name")))
    secrets.append(in_a_name)
    product.drop(f"{in_a_name.text}.csv", "order_id,amount\n1,abc\n")
    product.start()
    wait_for(lambda: product.get("/api/runs", pipeline="leak", status="failed")["runs"], 60)
    wait_for(lambda: product.get("/api/processing/failures", pipeline="ingest")["failures"])
    return product, [*secrets, Secret("logged", LOGGED, LOGGED)]


def _found(secrets: list[Secret], place: str, text: str) -> list[str]:
    return [f"{secret.kind} in {place}" for secret in secrets if secret.leaks(text)]


def _answers(product: Product) -> Iterator[tuple[str, str]]:
    """What every endpoint that reads answers, for ids that there are."""
    failure = product.get("/api/processing/failures", pipeline="leak")["failures"][0]
    retry = product.post("/api/retries", {"failure_ids": [failure["id"]]})
    known = {
        "retry_id": retry["id"], "failure_id": str(failure["id"]), "run_id": failure["run_id"], "name": "orders", "source": "orders",
        "pipeline": "leak", "group_id": failure["failure_group"], "failure_group": failure["failure_group"],
    }  # fmt: skip
    for path, methods in product.get("/schema/openapi.json")["paths"].items():
        # Rejected rows, downloads and names of tracked files are the user's own data; the store is looked at below.
        ours = not path.endswith(("/rejected", "/download", "/files", "/store.duckdb"))
        if "get" in methods and ours:
            yield path, product.http.get(path.format_map(known)).text


@pytest.mark.requirement("F6")
def test_no_secret_gets_past(leaking: tuple[Product, list[Secret]]) -> None:
    product, secrets = leaking
    found: list[str] = []
    for place, text in _answers(product):
        found += _found(secrets, place, text)
    openmetrics = {"Accept": "application/openmetrics-text; version=1.0.0"}
    found += _found(secrets, "metrics", product.http.get("/metrics").text)
    found += _found(secrets, "OpenMetrics", product.http.get("/metrics", headers=openmetrics).text)
    for failure in product.failures(pipeline="leak"):
        found += _found(secrets, "failures", json.dumps(failure, ensure_ascii=False))
    for run in product.get("/api/runs", limit=100)["runs"]:
        found += _found(secrets, "run log", product.http.get(f"/api/runs/{run['run_id']}/log").text)
    for command in (("failures",), ("runs",), ("failures", "--groups"), ("unclassified",)):
        for form in ((), ("--json",)):
            shown = product.command(*command, *form, "--url", product.url)
            found += _found(secrets, f"triaged {command}", shown.stdout + shown.stderr)
    assert product.stop() == 0
    found += _found(secrets, "log", product.log.read_text())
    found += _in_store(product.folder / "data", secrets)
    assert not found, sorted(set(found))


def _in_store(folder: Path, secrets: list[Secret]) -> Iterator[str]:
    """What the files of the store hold, as bytes and as text of every table."""
    [store] = folder.glob("triaged.duckdb")
    tracked = {path.stem for path in (folder.parent / "inbox").iterdir()}
    others = [secret for secret in secrets if secret.text not in tracked]
    with duckdb.connect(str(store), read_only=True) as connection:
        for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            # Paths of files are the user's own data, as the documentation says.
            rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
            if table not in ("files", "rejected_rows"):
                yield from _found(secrets, f"table {table}", str(rows))
    for file in folder.iterdir():
        if file.is_file() and file.name.startswith("triaged.duckdb"):
            yield from _found(others, file.name, os.fsdecode(file.read_bytes()))


@pytest.mark.requirement("F6")
def test_folders_for_data_are_their_owners_alone(product: Product) -> None:
    product.configure_orders()
    product.drop("bad.csv", BAD)
    product.start()
    product.wait_for_file("bad.csv", "partial")
    product.post("/api/ingestions/orders/files/quarantine", {"paths": ["bad.csv"]})
    data = product.folder / "data"
    folders = [data, *(place for place in data.rglob("*") if place.is_dir())]
    assert len(folders) > 3
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
