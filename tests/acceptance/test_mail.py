"""Mail accounts on the running product, against a real Dovecot."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from imapclient import IMAPClient

from tests.support.dovecot import DOVECOT, PASSWORD, Dovecot
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.live import Listener, Message
from tests.support.product import Product, wait_for

pytestmark = pytest.mark.skipif(DOVECOT is None, reason="Dovecot is not installed")

MESSAGES = 50
KINDS = (
    {"List-Id": "<weekly.example.net>"},
    {"Auto-Submitted": "auto-generated"},
    {"In-Reply-To": "<1@example.com>"},
    {},
)
"""By turns a newsletter, a note of a machine, an answer, and something else."""
SUBJECT = "Quarterly figures, confidential"

ACCOUNT = """
[pipelines.mail.sources.{name}]
host = "127.0.0.1"
port = {port}
tls = "none"
username = "{name}@example.com"
password_file = "{name}.password"
timeout = "{timeout}"
deadline = "{deadline}"
"""


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    server = Dovecot()
    for name in ("good", "refused", "dropped"):
        deliver(server, f"{name}@example.com")
    server.start()
    yield server
    server.stop()


def deliver(server: Dovecot, user: str, count: int = MESSAGES) -> None:
    now = datetime.now(UTC)
    for number in range(count):
        headers = {
            "From": f"sender.{number}@example.org",
            "To": user,
            "Subject": SUBJECT,
            **KINDS[number % len(KINDS)],
        }
        server.deliver(user, headers, at=now - timedelta(minutes=number))


def account(product: Product, name: str, port: int, password: str = PASSWORD, **more: str) -> str:
    (product.folder / f"{name}.password").write_text(password + "\n")
    return ACCOUNT.format(name=name, port=port, **{"timeout": "5s", "deadline": "20s", **more})


def keywords(server: Dovecot, user: str) -> dict[int, set[str]]:
    """The keywords that each message really has."""
    with IMAPClient("127.0.0.1", server.port, ssl=False) as client:
        client.login(user, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        fetched = client.fetch(client.search(), ["FLAGS"])
    flags = {uid: {flag.decode() for flag in data[b"FLAGS"]} for uid, data in fetched.items()}
    assert not any("\\Seen" in found or "\\Deleted" in found for found in flags.values())
    return {uid: {f for f in found if not f.startswith("\\")} for uid, found in flags.items()}


def runs(product: Product, source: str) -> list[dict[str, Any]]:
    return product.get("/api/runs", pipeline="mail", source=source, limit=100)["runs"]


def ended(product: Product, source: str, status: str | None = None) -> list[dict[str, Any]]:
    return [
        run
        for run in runs(product, source)
        if run["end_time"] is not None and status in (None, run["status"])
    ]


EXPECTED = {
    "good": ("success", None, None),
    "refused": ("failed", "authentication", False),
    "dropped": ("failed", "connection", True),
}


@pytest.mark.requirement("S1", "S2", "S4", "S5", "F2", "F3", "F6", "F7", "M1", "M6")
def test_three_accounts_come_out_differently_and_everything_agrees(
    product: Product, dovecot: Dovecot
) -> None:
    fault = Fault("close", b"FETCH")
    with FaultProxy(dovecot.port, fault) as proxy:
        product.configure(
            '[pipelines.mail]\nevery = "1h"\nconcurrency = 3\n'
            + account(product, "good", dovecot.port)
            + account(product, "refused", dovecot.port, "wrong-password-7")
            + account(product, "dropped", proxy.port)
        )
        product.start()
        wait_for(lambda: all(ended(product, name) for name in EXPECTED))
        sockets_agree(product)
        first = {name: ended(product, name)[-1] for name in EXPECTED}

        assert {n: (r["status"], r["error_category"]) for n, r in first.items()} == {
            n: (status, category) for n, (status, category, _) in EXPECTED.items()
        }
        assert first["good"]["counts"] == {"succeeded": MESSAGES, "failed": 0, "skipped": 0}

        history = product.get("/api/processing/history", pipeline="mail", limit=100)["runs"]
        states = {run["run_id"]: run["final_state"] for run in history}
        assert {n: states[run["run_id"]] for n, run in first.items()} == {
            "good": "COMPLETED",
            "refused": "ERROR",
            "dropped": "ERROR",
        }

        failures = product.failures(pipeline="mail")
        found = {f["source"]: f for f in failures if f["run_id"] == first[f["source"]]["run_id"]}
        assert {n: (f["error_category"], f["is_retryable"]) for n, f in found.items()} == {
            n: EXPECTED[n][1:] for n in ("refused", "dropped")
        }
        assert found["refused"]["is_auth_error"]
        assert found["refused"]["email_address"] == "refused@example.com"
        assert found["dropped"]["retry_at"] is not None
        assert all(f["user_message"] and f["suggested_action"] for f in failures)
        by_address = product.failures(email_address="REFUSED@example.com")
        assert [f["source"] for f in by_address] == ["refused"] * 2
        assert by_address[-1]["id"] == found["refused"]["id"]

        rows = list(csv.DictReader(io.StringIO(product.http.get(CSV_PATH).text)))
        by_id = {row["id"]: (row["source"], row["error_category"]) for row in rows}
        assert {
            str(f["id"]): (f["source"], f["error_category"]) for f in failures
        }.items() <= by_id.items()

        metrics = product.metrics()
        assert metrics['triaged_items_total{outcome="succeeded",pipeline="mail"}'] == MESSAGES
        for name, (status, category, _) in EXPECTED.items():
            value = metrics.get(
                f'triaged_source_failing{{category="{category}",pipeline="mail",source="{name}"}}'
            )
            assert value == (1 if status == "failed" else None), name

        logged = [json.loads(line) for line in product.log.read_text().splitlines()]
        assert {
            (line["source"], line["status"]) for line in logged if line["event"] == "run_ended"
        } >= {(name, status) for name, (status, _, _) in EXPECTED.items()}

    labelled = Counter(frozenset(k) for k in keywords(dovecot, "good@example.com").values())
    assert labelled == {
        frozenset({"newsletter"}): 13,
        frozenset({"automated"}): 13,
        frozenset({"conversation"}): 12,
        frozenset(): 12,
    }
    assert not any(keywords(dovecot, "refused@example.com").values())
    nothing_personal_is_kept(product)


def sockets_agree(product: Product) -> None:
    """What `/ws/status` tells is what REST and metrics say, and a new failure is told as it is stored."""
    with closing(Listener(product)) as listener:
        listener.hear_type("status_update")
        product.post("/api/pipelines/mail/run", {"source": "refused"})
        (told,) = listener.hear_until(lambda m: of_source(m, "refused"))["data"]["failures"]
        assert told == product.get(f"/api/failures/{told['id']}")
        wait_for(lambda: status_agrees(product, listener.hear_type("status_update")["data"]))


def of_source(message: Message, source: str) -> bool:
    """Whether a message tells a failure of the source."""
    return message["type"] == "failure" and message["data"]["failures"][0]["source"] == source


def status_agrees(product: Product, told: dict[str, Any]) -> bool:
    """Whether a status is that of REST and metrics; they are asked later, and a retry may come between."""
    asked = product.get("/api/processing/current-status", include_stats="true")
    summary, metrics = asked["failure_summary"], product.metrics()
    still_open = sum(n for name, n in metrics.items() if name.startswith("triaged_failures_open{"))
    runs = sum(n for name, n in metrics.items() if name.startswith("triaged_runs_total{"))
    assert {run["source"] for run in told["recent_runs"]} == set(EXPECTED)
    return (
        told["recent_runs"] == asked["recent_runs"]
        and told["most_recent_failure"] == summary["most_recent_failure"]
        and told["failure_count"] == summary["failure_count"] == still_open
        and told["statistics"]["totals"] == asked["statistics"]["totals"]
        and told["statistics"]["totals"]["runs"] == runs
    )


CSV_PATH = "/api/export/failures.csv?pipeline=mail"


def nothing_personal_is_kept(product: Product) -> None:
    """No subject, address or password in the log, the store, the metrics or an export."""
    product.stop()
    kept = [product.log, *(product.folder / "data").rglob("*")]
    for path in kept:
        if path.is_file():
            content = path.read_bytes()
            for secret in (SUBJECT, "wrong-password-7", PASSWORD, "@example."):
                assert secret.encode() not in content, (path, secret)


@pytest.mark.requirement("S2", "F5")
def test_an_account_whose_login_was_refused_waits_for_its_credentials(
    product: Product, dovecot: Dovecot
) -> None:
    product.configure(
        '[pipelines.mail]\nevery = "300ms"\n'
        + account(product, "good", dovecot.port)
        + account(product, "refused", dovecot.port, "wrong-password-7")
    )
    product.start()
    wait_for(lambda: len(ended(product, "good")) >= 5)
    assert len(runs(product, "refused")) == 1
    (waiting,) = [
        found
        for pipeline in product.get("/api/pipelines")["pipelines"]
        for found in pipeline["waiting"]
    ]
    assert (waiting["source"], waiting["reason"]) == ("refused", "held")

    (product.folder / "refused.password").write_text(PASSWORD + "\n")
    wait_for(lambda: ended(product, "refused", "success"))
    (failure,) = product.failures(source="refused")
    assert failure["status"] == "resolved"
    assert len([k for k in keywords(dovecot, "refused@example.com").values() if k]) == 38


@pytest.mark.requirement("S2", "S9", "F5")
@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_an_account_that_hangs_delays_nobody_and_ends_at_its_deadline(
    product: Product, dovecot: Dovecot, fault: Any
) -> None:
    with FaultProxy(dovecot.port, Fault(fault, b"FETCH", 500)) as proxy:
        product.configure(
            '[pipelines.mail]\nevery = "1h"\nconcurrency = 2\n'
            + account(product, "dropped", proxy.port, timeout="4s", deadline="6s")
            + account(product, "good", dovecot.port)
        )
        product.start()
        wait_for(lambda: ended(product, "good", "success"))
        assert not ended(product, "dropped"), "the one that hangs is still under way"
        wait_for(lambda: ended(product, "dropped", "failed"))
        (failure,) = product.failures(source="dropped")
        assert failure["error_category"] in ("connection", "resource")
        assert failure["is_retryable"]


@pytest.mark.requirement("S3", "X3")
def test_killed_amid_a_run_an_account_is_processed_again_and_no_message_twice(
    product: Product, dovecot: Dovecot
) -> None:
    """Each answer to STORE takes half a second, so that there is a middle to be killed in."""
    with FaultProxy(dovecot.port, Fault("delay", b"STORE", pause=0.5)) as proxy:
        product.configure(
            '[pipelines.mail]\nevery = "1h"\nchunk = 10\n'
            + account(product, "good", proxy.port, deadline="60s")
        )
        product.start()
        items = 'triaged_items_total{outcome="succeeded",pipeline="mail"}'
        wait_for(lambda: product.metrics()[items] > 0)
        before = product.metrics()[items]
        product.kill()
        labelled = keywords(dovecot, "good@example.com")
    assert 0 < before <= sum(map(len, labelled.values())) + MESSAGES // len(KINDS) < MESSAGES

    product.configure(
        '[pipelines.mail]\nevery = "1h"\nchunk = 10\n' + account(product, "good", dovecot.port)
    )
    product.start()
    (done,) = wait_for(lambda: ended(product, "good", "success"))
    assert [run["status"] for run in runs(product, "good")][1:] == ["interrupted"]
    assert done["counts"]["succeeded"] + done["counts"]["skipped"] <= MESSAGES
    assert done["counts"]["succeeded"] < MESSAGES, "what was done is not done again"
    after = keywords(dovecot, "good@example.com")
    assert Counter(map(len, after.values())) == {1: 38, 0: 12}
    product.stop()
    assert stored_messages(product) == (MESSAGES, MESSAGES)


@pytest.mark.requirement("S2", "F6", "X3")
def test_an_account_turned_to_another_mailbox_in_the_file_misses_none_of_its_messages(
    product: Product, dovecot: Dovecot
) -> None:
    """All messages of the other one have the numbers of those that are done."""
    assert not any(keywords(dovecot, "good@example.com").values())
    dovecot.copy("good@example.com", "twin@example.com")
    mail = '[pipelines.mail]\nevery = "1h"\n'
    good = account(product, "good", dovecot.port)
    product.configure(mail + good)
    product.start()
    wait_for(lambda: ended(product, "good", "success"))
    product.kill()

    twin = good.replace('"good@', '"twin@')
    product.configure(mail + twin)
    ran = product.command("run", "mail", "good", "--config", str(product.config), "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["run"]["counts"]["succeeded"] == MESSAGES
    labelled = keywords(dovecot, "twin@example.com")
    assert labelled == keywords(dovecot, "good@example.com")
    assert len([k for k in labelled.values() if k]) == 38

    product.configure(mail + twin.replace('"20s"', '"40s"') + "hours = 30\n")
    product.start()
    (again, *_) = wait_for(lambda: len(ended(product, "good")) == 3 and ended(product, "good"))
    assert again["counts"] == {"succeeded": 0, "failed": 0, "skipped": MESSAGES}
    product.stop()
    product.configure(mail + good)
    product.start()
    (back, *_) = wait_for(lambda: len(ended(product, "good")) == 4 and ended(product, "good"))
    assert back["counts"]["succeeded"] == MESSAGES
    lines = [json.loads(line) for line in product.log.read_text().splitlines()]
    (changed,) = [line for line in lines if line["event"] == "mailbox_changed"]
    assert (changed["source"], changed["messages"]) == ("good", MESSAGES)
    nothing_personal_is_kept(product)


def stored_messages(product: Product) -> tuple[int, int]:
    """Messages that the store holds as done, and how many different ones."""
    import duckdb

    with duckdb.connect(str(product.folder / "data/triaged.duckdb"), read_only=True) as store:
        found = store.execute(
            "SELECT count(*), count(DISTINCT (source, folder, uidvalidity, uid)) FROM messages"
        ).fetchone()
    assert found is not None
    return found
