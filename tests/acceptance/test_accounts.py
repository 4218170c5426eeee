"""S10: mail accounts by API and command line, over the running product and a real IMAP login."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
