"""S10: mail accounts by API and command line, over the running product and a real IMAP login."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from tests.support.dovecot import DOVECOT, Dovecot
from tests.support.dovecot import PASSWORD as RIGHT
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.imap_login import ImapLogin, imap_login
from tests.support.product import Product, wait_for

USER = "support@example.com"
PASSWORD = "correct-horse-battery-staple"
MAIL = '\n[pipelines.mail]\nevery = "1h"\n'


@pytest.fixture
def server() -> Iterator[ImapLogin]:
    with imap_login(USER, PASSWORD) as server:
        yield server


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path)
    product.configure(MAIL)
    product.start()
    yield product
    product.stop()


def accounts(product: Product, *arguments: str, code: int = 0, **options: Any) -> str:
    """What the command says."""
    done = product.command("accounts", *arguments, "--url", product.url, **options)
    assert done.returncode == code, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done.stdout if code == 0 or done.stdout else done.stderr


def add(product: Product, server: ImapLogin, password: str = PASSWORD) -> dict[str, Any]:
    place = ("--host", "127.0.0.1", "--port", str(server.port), "--tls", "none")
    said = accounts(
        product,
        *("add", "support", *place, "--username", USER, "--password-stdin", "--json"),
        input=f"{password}\n",
    )
    return dict(json.loads(said))


def statuses(product: Product) -> list[str]:
    runs = product.get("/api/runs", source="support")["runs"]
    return [run["status"] for run in reversed(runs) if run["end_time"]]


@pytest.mark.requirement("S10", "X3")
def test_an_account_that_was_answered_for_survives_kill_9(
    product: Product, server: ImapLogin
) -> None:
    add(product, server)
    product.kill()
    stored = {path.name: path.read_bytes() for path in (product.folder / "data").iterdir()}
    assert {"triaged.duckdb", "triaged.duckdb.wal", "secret.key"} <= set(stored)
    for content in stored.values():
        assert PASSWORD.encode() not in content
    product.start()
    assert "the login works" in accounts(product, "verify", "support")
    wait_for(lambda: statuses(product) == ["success"])
    assert server.logins == [True, True]
    assert PASSWORD not in product.log.read_text()


@pytest.mark.requirement("S10", "F5")
def test_an_account_is_handled_from_the_command_line(product: Product, server: ImapLogin) -> None:
    made = add(product, server, "wrong")
    assert (made["name"], made["has_password"], made["origin"]) == ("support", True, "api")
    product.post("/api/pipelines/mail/run", {})
    wait_for(lambda: statuses(product) == ["failed"])
    said = accounts(product, "verify", "support", code=1)
    assert "authentication" in said
    (listed,) = map(json.loads, accounts(product, "list", "--json").splitlines())
    assert listed["waiting"]["reason"] == "held"
    assert "support" in accounts(product, "list")
    changed = accounts(
        product,
        *("set", "support", "--hours", "48", "--password-env", "GIVEN", "--json"),
        env={"GIVEN": PASSWORD},
    )
    assert json.loads(changed)["hours"] == 48
    wait_for(lambda: statuses(product) == ["failed", "success"])
    kept = json.loads(accounts(product, "set", "support", "--no-enabled", "--json"))
    assert (kept["hours"], kept["enabled"], kept["port"]) == (48, False, server.port)
    verified = json.loads(accounts(product, "verify", "support", "--json"))
    assert (verified["ok"], verified["triage"]) == (True, None)
    assert "add --yes" in accounts(product, "remove", "support", code=2, input="y\n")
    assert "support" in accounts(product, "list")
    assert "removed" in accounts(product, "remove", "support", "--yes")
    assert accounts(product, "list") == "No mail accounts.\n"
    assert len(statuses(product)) == 2


@pytest.mark.requirement("S10", "X4")
def test_mistakes_on_the_command_line_are_told_apart(product: Product, server: ImapLogin) -> None:
    refused = accounts(product, "set", "nobody", "--hours", "1", code=5)
    assert "there is no mail account of that name" in refused
    place = ("--host", "127.0.0.1", "--username", USER)
    assert "nobody can be asked" in accounts(product, "add", "a", *place, code=2, input="")
    unset = accounts(product, "add", "a", *place, "--password-env", "NOT_SET", code=2)
    assert "NOT_SET is not set" in unset
    empty = accounts(product, "add", "a", *place, "--password-stdin", code=2, input="\n")
    assert "got nothing" in empty
    add(product, server)
    moved = accounts(product, "set", "support", "--host", "elsewhere.example.com", code=5)
    assert "the secret again" in moved


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    if DOVECOT is None:
        pytest.skip("Dovecot is not installed")
    server = Dovecot()
    for number in range(12):
        headers = {"From": "a@example.org", "Subject": "confidential", "List-Id": "<weekly>"}
        server.deliver(USER, headers, at=datetime.now(UTC) - timedelta(minutes=number))
    server.start()
    yield server
    server.stop()


def labelled(server: Dovecot) -> int:
    """How many messages have their keyword."""
    with IMAPClient("127.0.0.1", server.port, ssl=False) as client:
        client.login(USER, RIGHT)
        client.select_folder("INBOX", readonly=True)
        return len(client.search(["KEYWORD", "newsletter"]))


@pytest.mark.requirement("S10", "S2", "F5", "X3")
def test_a_wrong_password_is_told_precisely_and_the_right_one_runs_at_once(
    product: Product, dovecot: Dovecot
) -> None:
    order = {"host": "127.0.0.1", "port": dovecot.port, "tls": "none", "username": USER}
    product.post("/api/accounts", {"name": "support", "password": "wrong-horse-7", **order})
    product.post("/api/pipelines/mail/run", {"source": "support"})
    wait_for(lambda: statuses(product) == ["failed"])
    assert product.get("/api/accounts/support")["waiting"]["reason"] == "held"
    verified = product.post("/api/accounts/support/verify")
    assert (verified["ok"], verified["state"]) == (False, "connecting")
    triage = verified["triage"]
    assert (triage["category"], triage["retryable"]) == ("authentication", False)
    assert "refuses the user name and password" in triage["user_message"]
    assert "AUTHENTICATIONFAILED" in triage["error_message"]
    assert product.get("/api/accounts/support")["waiting"]["reason"] == "held"
    assert labelled(dovecot) == 0

    answer = product.http.put("/api/accounts/support", json={**order, "password": RIGHT})
    assert answer.status_code == 200, answer.text
    wait_for(lambda: statuses(product) == ["failed", "success"])
    assert labelled(dovecot) == 12
    assert product.get("/api/accounts/support")["waiting"] is None
    (failure,) = product.failures(source="support")
    assert failure["status"] == "resolved"

    answer = product.http.put("/api/accounts/support", json={**order, "hours": 48})
    product.kill()
    assert answer.status_code == 200, answer.text
    product.start()
    assert product.get("/api/accounts/support")["hours"] == 48
    assert product.post("/api/accounts/support/verify")["ok"], "the secret is still there"
    actions = [e["action"] for e in product.get("/api/audit", q="accounts.")["entries"]]
    assert actions == [
        *("accounts.verify", "accounts.replace"),
        *("accounts.replace", "accounts.verify", "accounts.create"),
    ]
    product.stop()
    kept = [path.read_bytes() for path in product.folder.rglob("*") if path.is_file()]
    for secret in ("wrong-horse-7", RIGHT, "confidential"):
        assert not any(secret.encode() in content for content in kept), secret
    assert USER not in product.log.read_text()


@pytest.mark.requirement("S9", "S10", "S1", "S5")
def test_accounts_by_api_run_side_by_side_and_can_be_paused(
    product: Product, dovecot: Dovecot
) -> None:
    """The server answers both FETCHes late, so that each is seen while the other is under way."""
    names = ("support", "sales")
    with FaultProxy(dovecot.port, Fault("delay", b"FETCH", pause=1.0)) as proxy:
        order = {"host": "127.0.0.1", "port": proxy.port, "tls": "none", "username": USER}
        assert product.post("/api/pipelines/mail/pause")["paused"]
        for name in names:
            product.post("/api/accounts", {"name": name, "password": RIGHT, **order})
        product.post("/api/pipelines/mail/run")
        active = wait_for(lambda: both_fetch(product, names))
        assert all(run["progress"]["total"] == 12 for run in active)
        assert all(run["email_address"] == USER for run in active)
        product.wait_until_idle()
    assert not product.post("/api/pipelines/mail/resume")["paused"]

    statistics = product.get("/api/processing/statistics", pipeline="mail")
    assert statistics["totals"]["runs"] == statistics["totals"]["success"] == 2
    assert {source["source"] for source in statistics["sources"]} == set(names)
    assert statistics["totals"]["items_succeeded"] == 24
    series = product.get("/api/report/runs/series", pipeline="mail", by="source", interval="1h")
    assert {point["source"] for point in series} == set(names)


def both_fetch(product: Product, names: tuple[str, str]) -> list[dict[str, Any]]:
    """The active runs once all of them fetch at the same time."""
    active: list[dict[str, Any]] = product.get("/api/processing/status")["active"]
    fetching = {run["source"] for run in active if run["state"] == "fetching" and run["progress"]}
    return active if fetching == set(names) else []
