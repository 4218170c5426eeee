"""Keys, roles, limits and the audit trail, on the running product."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.product import Product, wait_for

PIPELINE = """
[pipelines.nightly]
run = "jobs:nightly"
"""
JOBS = "def nightly(run):\n    run.succeed('one')\n"
PAUSE = "/api/pipelines/nightly/pause"


@pytest.fixture
def product(tmp_path: Path) -> Any:
    (tmp_path / "jobs.py").write_text(JOBS)
    product = Product(tmp_path)
    product.configure(PIPELINE)
    yield product
    product.kill()


def make_key(product: Product, name: str, role: str, *more: str) -> str:
    """A key, as the command prints it."""
    config = str(product.config)
    done = product.command("token", "create", name, "--role", role, "--config", config, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def status(product: Product, path: str, key: str | None, method: str = "GET") -> int:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return product.http.request(method, path, headers=headers).status_code


def trail(product: Product, key: str | None = None, **filters: str) -> list[dict[str, Any]]:
    headers = {"x-api-key": key} if key else {}
    answer = product.http.get("/api/audit", params=filters, headers=headers)
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


@pytest.mark.requirement("S6")
def test_keys_are_kept_as_hashes_only_and_shown_once(product: Product) -> None:
    first = product.command(
        *("token", "create", "ann", "--role", "admin", "--config", str(product.config))
    )
    assert "from now on the API asks for one" in first.stderr
    keys = [first.stdout.strip(), make_key(product, "grafana", "read", "--expires", "90d")]
    product.start()
    assert [status(product, "/api/runs", key) for key in keys] == [200, 200]
    assert status(product, PAUSE, keys[0], "POST") == 200
    assert status(product, "/api/runs", f"{keys[0]}x") == 401
    product.stop()
    listed = product.command("token", "list", "--config", str(product.config), "--json").stdout
    assert [json.loads(line)["name"] for line in listed.splitlines()] == ["ann", "grafana"]
    held = [path.read_bytes() for path in product.folder.rglob("*") if path.is_file()]
    assert len(held) > 4
    for key in keys:
        secret = key.removeprefix("trg_")[:12].encode()
        assert not any(secret in content for content in (*held, listed.encode()))


@pytest.mark.requirement("S6")
def test_keys_come_and_go_without_a_restart(product: Product) -> None:
    product.start()
    assert status(product, "/api/runs", None) == 200
    admin = make_key(product, "ann", "admin")
    wait_for(lambda: status(product, "/api/runs", None) == 401)
    assert status(product, "/api/runs", admin) == 200
    reader = make_key(product, "bob", "read")
    wait_for(lambda: status(product, "/api/runs", reader) == 200)
    revoked = product.command("token", "revoke", "bob", "--config", str(product.config))
    assert revoked.returncode == 0
    wait_for(lambda: status(product, "/api/runs", reader) == 401)
    assert status(product, "/healthz", None) == 200
    said = wait_for(lambda: found if len(found := trail(product, admin)) == 3 else None)
    assert [(e["action"], e["subject"], e["by"]) for e in said] == [
        ("keys.revoked", "bob", "local"),
        ("keys.created", "bob", "local"),
        ("keys.created", "ann", "local"),
    ]


@pytest.mark.requirement("S6")
def test_a_damaged_keys_file_locks_nobody_out_and_nobody_in(product: Product) -> None:
    admin = make_key(product, "ann", "admin")
    product.start()
    file = product.folder / "data/keys.json"
    good = file.read_text()
    file.write_text(good[:20])
    degraded = wait_for(lambda: product.http.get("/readyz").status_code == 503)
    assert degraded
    assert status(product, "/api/runs", admin) == 200
    assert status(product, "/api/runs", None) == 401
    assert "keys_unusable" in product.log.read_text()
    product.kill()
    refused = product.command("serve", "--config", str(product.config))
    assert refused.returncode == 2
    assert "keys.json cannot be used" in refused.stderr
    file.write_text(good)
    product.start()
    assert product.http.get("/readyz").status_code == 200


@pytest.mark.requirement("S6")
def test_other_addresses_need_a_key_and_the_keys_file_counts(product: Product) -> None:
    text = product.config.read_text().replace("127.0.0.1", "0.0.0.0")  # noqa: S104 (what is tested)
    product.config.write_text(text)
    refused = product.command("serve", "--config", str(product.config))
    assert refused.returncode == 2
    assert "other machines" in refused.stderr
    reader = make_key(product, "bob", "read")
    product.start()
    assert status(product, "/api/runs", None) == 401
    assert status(product, "/api/runs", reader) == 200
    product.command("token", "revoke", "bob", "--config", str(product.config))
    wait_for(lambda: status(product, "/api/runs", reader) == 401)
    assert status(product, "/api/runs", None) == 401, "open to the world without any key"


@pytest.mark.requirement("S6", "X4")
def test_who_asks_too_often_has_to_wait_and_health_and_metrics_do_not(product: Product) -> None:
    product.configure(PIPELINE, "requests_per_minute = 60\n")
    product.start()
    answers = [product.http.get("/api/runs") for _ in range(12)]
    assert [a.status_code for a in answers[:10]] == [200] * 10
    refused = answers[-1]
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    spoofed = product.http.get("/api/runs", headers={"x-forwarded-for": "192.0.2.1"})
    assert spoofed.status_code == 429
    for path in ("/healthz", "/readyz", "/metrics"):
        assert [product.http.get(path).status_code for _ in range(20)] == [200] * 20
    assert product.metrics()['triaged_requests_refused_total{reason="rate"}'] >= 2
    shown = product.command("runs", "--url", product.url, "--json")
    assert shown.returncode == 0, shown.stderr


@pytest.mark.requirement("S6")
def test_guessing_keys_is_slowed_down_and_leaves_no_guess_in_the_log(product: Product) -> None:
    reader = make_key(product, "bob", "read")
    product.start()
    assert status(product, "/api/runs", reader) == 200
    guesses = [f"{reader[:-3]}{number:03}" for number in range(100, 130)]
    answers = [status(product, "/api/runs", guess) for guess in guesses]
    assert answers[:10] == [401] * 10
    assert 429 in answers
    assert status(product, "/api/runs", reader) == 200, "one that was used from here before"
    log = product.log.read_text()
    assert "key_refused" in log
    assert reader[4:20] not in log


CYCLES = 'triaged_cycles_total{outcome="success",pipeline="nightly"}'


@pytest.mark.requirement("U6", "X3")
def test_what_was_answered_is_in_the_trail_after_kill_9(product: Product) -> None:
    product.start()
    for number in range(5):
        assert product.http.post("/api/pipelines/nightly/run").status_code == 202
        wait_for(lambda ended=number + 1: product.metrics()[CYCLES] == ended)
        assert product.http.post(f"/api/pipelines/none{number}/pause").status_code == 404
    assert product.http.post(PAUSE).status_code == 200
    product.kill()
    product.start()
    said = [(e["action"], e["subject"], e["outcome"]) for e in trail(product)]
    assert said[0] == ("pipelines.pause", "nightly", "done")
    assert said[1::2] == [
        ("pipelines.pause", f"none{number}", "refused") for number in reversed(range(5))
    ]
    assert said[2::2] == [("pipelines.run", "nightly", "done")] * 5
    (pipeline,) = product.get("/api/pipelines")["pipelines"]
    assert pipeline["paused"]


@pytest.mark.requirement("U6", "S6", "X6")
def test_the_trail_says_who_did_what_in_every_form(product: Product) -> None:
    keys = {role: make_key(product, f"the-{role}", role) for role in ("read", "operate", "admin")}
    product.start()
    assert status(product, PAUSE, keys["read"], "POST") == 403
    assert status(product, PAUSE, keys["operate"], "POST") == 200
    assert status(product, "/api/audit", keys["operate"]) == 403
    headers = {"x-api-key": keys["admin"]}
    text = product.http.get("/api/export/audit.csv?action=pipelines.pause", headers=headers).text
    rows = [(r["by"], r["outcome"], r["reason"]) for r in csv.DictReader(io.StringIO(text))]
    assert rows == [("the-operate", "done", ""), ("the-read", "refused", "not_permitted")]
    asked = ("audit", "--action", "pipelines.pause")
    environment = {"env": {"TRIAGED_API_KEY": keys["admin"], "PATH": "/usr/bin:/bin"}}
    live = ("--url", product.url)
    assert product.command(*asked, "--csv", *live, **environment).stdout == text
    shown = product.command(*asked, *live, **environment).stdout
    assert "the-operate" in shown
    assert "refused: not_permitted" in shown
    product.stop()
    stored = product.command(*asked, "--json", "--config", str(product.config)).stdout
    entries = [json.loads(line) for line in stored.splitlines()]
    assert [entry["by"] for entry in entries] == ["the-operate", "the-read"]
    assert entries[0]["subject"] == "nightly"


@pytest.mark.requirement("S6")
def test_a_key_can_go_straight_to_a_file_once(product: Product) -> None:
    file = product.folder / "grafana.key"
    asked = ("token", "create", "grafana", "--role", "read", "--config", str(product.config))
    for _ in range(2):
        done = product.command(*asked, "--output", str(file), "--if-missing")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert "trg_" not in done.stderr
    assert "nothing to do" in done.stderr
    product.start()
    assert status(product, "/api/runs", file.read_text()) == 200
    file.unlink()
    lost = product.command(*asked, "--output", str(file), "--if-missing")
    assert lost.returncode == 2, "another may have the key that the name stands for"
    assert "grafana already" in lost.stderr
    assert not file.exists()
    assert product.command("token", "revoke", "grafana", *asked[-2:]).returncode == 0
    file.write_text("a key that a crash kept from being stored")
    assert product.command(*asked, "--output", str(file), "--if-missing").returncode == 0
    wait_for(lambda: status(product, "/api/runs", file.read_text()) == 200)


@pytest.mark.requirement("S6")
def test_keys_are_listed_where_the_secrets_of_others_are_not_at_hand(product: Product) -> None:
    product.configure("", '[[server.keys]]\nname = "ops"\nkey_env = "NOT_SET_HERE"\n')
    config = ("--config", str(product.config))
    assert product.command("token", "create", "ann", "--role", "read", *config).returncode == 0
    assert "ann" in product.command("token", "list", *config).stdout
    refused = product.command("token", "create", "ops", "--role", "read", *config)
    assert refused.returncode == 2
    assert "NOT_SET_HERE" in product.command("check-config", str(product.config)).stderr


@pytest.mark.requirement("X4")
def test_a_token_command_refuses_what_makes_no_sense(product: Product) -> None:
    config = ("--config", str(product.config))
    make_key(product, "ann", "read")
    for arguments in (
        ("create", "ann", "--role", "read"),
        ("create", "local", "--role", "read"),
        ("create", "a b", "--role", "read"),
        ("create", "bob", "--role", "root"),
        ("create", "bob", "--role", "read", "--expires", "soon"),
        ("create", "bob", "--role", "read", "--if-missing"),
        ("create", "bob", "--role", "read", "--group"),
        ("create", "bob", "--role", "read", "--json", "--output", str(product.folder / "key")),
        ("create", "bob", "--role", "read", "--output", str(product.folder / "none" / "key")),
        ("revoke", "bob"),
    ):
        done = product.command("token", *arguments, *config)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert "Traceback" not in done.stderr
    listed = product.command("token", "list", *config).stdout
    assert "ann" in listed
    assert "bob" not in listed


PROXIED = """
hosts = ["triage.lan"]
[server.proxy]
user_header = "X-User"
addresses = ["{address}"]
role = "operate"
"""


@pytest.mark.requirement("S6")
def test_whom_a_proxy_has_signed_in_may_what_is_configured_and_everyone_else_needs_a_key(
    product: Product,
) -> None:
    product.configure(PIPELINE, PROXIED.format(address="127.0.0.1"))
    product.start()
    ann = {"x-user": "ann", "host": "Triage.LAN:80"}
    assert product.http.post(PAUSE, headers=ann).status_code == 200
    assert product.http.get("/api/audit", headers=ann).status_code == 403
    key = make_key(product, "root", "admin")
    wait_for(lambda: status(product, "/api/audit", key) == 200)
    assert ("proxy:ann", "pipelines.pause") in {(e["by"], e["action"]) for e in trail(product, key)}
    refused: list[Any] = [{}, {"x-user": ""}, [("x-user", "ann"), ("x-user", "root")]]
    for headers in refused:
        assert product.http.post(PAUSE, headers=headers).status_code == 401
    assert product.http.get("/api/runs", headers=ann | {"host": "evil.example"}).status_code == 421
    other_site = ann | {"origin": "http://evil.example"}
    assert product.http.post(PAUSE, headers=other_site).status_code == 403


@pytest.mark.requirement("S6")
def test_the_header_of_a_proxy_is_not_believed_from_another_address(product: Product) -> None:
    product.configure(PIPELINE, PROXIED.format(address="127.0.0.9"))
    product.start()
    assert product.http.get("/api/runs", headers={"x-user": "ann"}).status_code == 401
    from_proxy = httpx.HTTPTransport(local_address="127.0.0.9")
    with httpx.Client(base_url=product.url, transport=from_proxy) as proxy:
        assert proxy.get("/api/runs", headers={"x-user": "ann"}).status_code == 200
