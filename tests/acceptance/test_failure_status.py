"""Failure status of background processing, on the running product (requirements F)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from tests.generated import fields_of_answers, published_fields
from tests.support.product import BAD, GOOD, Product, wait_for

SECRETIVE = """
def leak(run):
    run.step("connecting", "Calling https://joe:hunter2@api.example.com for ann@example.com")
    run.fail("letter to bob@example.com", ValueError(
        "login failed for carol@example.com: password=hunter2 token=ghp_abcdefghijklmnopqrstuvwxyz0123456789"))
    raise ConnectionRefusedError(111, "refused: https://joe:hunter2@api.example.com/?api_key=sk-12345678901234567890")
"""
SECRETS = ("hunter2", "ghp_abcdefghij", "sk-1234567890", "@example.com")
OWN = """
[pipelines.leak]
run = "own:leak"
every = "1h"
[pipelines.leak.sources.office]
email_address = "Office@Example.com"
"""


@pytest.fixture
def orders(product: Product) -> Product:
    """A good and a bad file, read."""
    product.configure_orders()
    product.drop("good.csv", GOOD)
    product.drop("bad.csv", BAD)
    product.start()
    product.wait_for_file("good.csv", "success")
    product.wait_for_file("bad.csv", "partial")
    return product


@pytest.fixture
def office(product: Product) -> Product:
    """An own pipeline whose errors are full of secrets and addresses, run once."""
    (product.folder / "own.py").write_text(SECRETIVE)
    product.configure(OWN)
    product.start()
    wait_for(lambda: len(product.failures()) == 2)
    return product


@pytest.mark.requirement("F1")
def test_every_answer_is_typed_and_every_field_described(orders: Product) -> None:
    schema = orders.get("/schema/openapi.json")
    untyped = [
        f"{name}.{field}"
        for name, record in schema["components"]["schemas"].items()
        for field, kind in record.get("properties", {}).items()
        if not (kind.get("description") or any(k in kind for k in ("$ref", "oneOf", "anyOf")))
    ]
    assert untyped == []
    for path in ("/api/processing/current-status", "/api/processing/failures", "/api/runs"):
        content = schema["paths"][path]["get"]["responses"]["200"]["content"]
        assert "$ref" in content["application/json"]["schema"]


@pytest.mark.requirement("F2")
def test_the_current_status_has_the_fields_of_the_contract(orders: Product) -> None:
    orders.wait_until_idle()
    status = orders.get("/api/processing/current-status", include_stats=True)
    assert set(status) >= {
        "is_processing", "current_status", "active", "recent_runs", "statistics", "timestamp",
        "websocket_available", "failure_summary",
    }  # fmt: skip
    run = next(run for run in status["recent_runs"] if run["final_state"] == "PARTIAL")
    assert set(run) >= {
        "run_id", "pipeline", "source", "email_address", "start_time", "end_time",
        "duration_seconds", "final_state", "final_step", "error_message", "final_progress",
    }  # fmt: skip
    assert run["source"] == "orders"
    assert status["failure_summary"]["has_recent_failures"]
    assert (
        status["failure_summary"]["failure_count"]
        == orders.get("/api/processing/failures")["total_failures"]
    )
    assert status["failure_summary"]["most_recent_failure"]["item"] == "bad.csv"
    assert datetime.fromisoformat(status["timestamp"]).utcoffset() == timedelta(0)


@pytest.mark.requirement("F2")
def test_the_failure_summary_does_not_depend_on_recent_runs(orders: Product) -> None:
    status = orders.get("/api/processing/current-status", include_recent=False)
    assert status["recent_runs"] == []
    assert status["failure_summary"]["failure_count"] > 0
    without = orders.get("/api/processing/current-status", include_failure_summary=False)
    assert without["failure_summary"] is None
    assert len(orders.get("/api/processing/current-status", recent_limit=1)["recent_runs"]) == 1


@pytest.mark.requirement("F2")
def test_a_run_under_way_shows_its_step_and_progress(product: Product) -> None:
    (product.folder / "slow.py").write_text(
        "import pathlib, time\n"
        "def work(run):\n"
        "    run.step('fetching', 'Fetching messages')\n"
        "    run.progress(3, 10)\n"
        "    while not pathlib.Path(run.options['until']).exists():\n"
        "        time.sleep(0.01)\n"
    )
    until = product.folder / "done"
    product.configure(
        '[pipelines.slow]\nrun = "slow:work"\nevery = "1h"\n'
        f'[pipelines.slow.sources.box]\noptions = {{ until = "{until}" }}\nemail_address = "a@b.example"\n'
    )
    product.start()
    status = wait_for(
        lambda: (
            (s := product.get("/api/processing/current-status"))["is_processing"]
            and s["current_status"]["progress"]
            and s["current_status"]["state"] != "idle"
            and s
        )
    )
    current = status["current_status"]
    assert current["state"] == "fetching"
    assert current["current_step"] == "Fetching messages"
    assert current["progress"] == {"current": 3, "total": 10}
    assert current["email_address"] == "a@b.example"
    assert status["active"] == [current]
    assert product.metrics()['triaged_run_progress_ratio{pipeline="slow",source="box"}'] == 0.3
    until.touch()
    product.wait_until_idle()


@pytest.mark.requirement("F3")
def test_failures_can_be_filtered_by_every_parameter(orders: Product) -> None:
    everything = orders.failures()
    assert {failure["error_category"] for failure in everything} == {
        "schema_mismatch",
        "data_malformed",
    }
    one = next(f for f in everything if f["error_category"] == "schema_mismatch")
    assert set(one) >= {
        "id", "email_address", "pipeline", "source", "item", "run_id", "error_message",
        "error_time", "failed_step", "duration_seconds", "error_category", "error_group",
        "is_auth_error", "is_retryable", "rule", "user_message", "suggested_action", "attempt",
        "status", "failure_group", "log_url",
    }  # fmt: skip
    matching = {
        "pipeline": "ingest", "source": "orders", "category": "schema_mismatch",
        "group": "validation", "retryable": "false", "status": "open", "run_id": one["run_id"],
        "failure_group": one["failure_group"], "since": one["error_time"], "q": "amount",
    }  # fmt: skip
    for name, value in matching.items():
        assert one["id"] in [f["id"] for f in orders.failures(**{name: value})], name
    assert [f["id"] for f in orders.failures(**matching)] == [one["id"]]
    others = {
        "category": "auth", "group": "network", "retryable": "true", "status": "resolved",
        "since": "2999-01-01T00:00:00Z", "until": "2000-01-01T00:00:00Z", "q": "no such text",
    }  # fmt: skip
    for name, value in others.items():
        assert orders.failures(**{name: value}) == [], name
    for name in ("pipeline", "source", "run_id", "failure_group"):
        asked = orders.http.get("/api/processing/failures", params={name: "none"})
        assert asked.status_code == 404, name


@pytest.mark.requirement("F3")
def test_the_total_counts_all_that_match_and_pages_reach_the_oldest(product: Product) -> None:
    product.configure(OWN.replace("own:leak", "many:work"))
    (product.folder / "many.py").write_text(
        "def work(run):\n    for n in range(250):\n        run.fail(f'item {n}', f'broken {n}')\n"
    )
    product.start()
    wait_for(lambda: product.get("/api/processing/failures")["total_failures"] == 250)
    page = product.get("/api/processing/failures")
    assert len(page["failures"]) == 10
    items = [failure["item"] for failure in product.failures()]
    assert items == [f"item {n}" for n in reversed(range(250))]


@pytest.mark.requirement("F3", "F6")
def test_the_address_comes_from_the_account_and_finds_its_failures(office: Product) -> None:
    found = office.failures(email_address="OFFICE@example.COM")
    assert len(found) == 2
    assert {failure["email_address"] for failure in found} == {"Office@Example.com"}
    assert office.failures(email_address="someone@else.example") == []


@pytest.mark.requirement("F6")
def test_no_secret_or_address_is_stored_shown_logged_or_exported(office: Product) -> None:
    failures = office.failures()
    for failure in failures:
        failure.pop("email_address")
    shown = json.dumps(failures)
    shown += office.http.get("/api/export/failures.csv").text
    shown += office.http.get("/metrics").text
    shown += json.dumps(office.get("/api/failures/groups"))
    shown += office.http.get(failures[0]["log_url"]).text
    assert office.stop() == 0
    shown += office.log.read_text()
    data = office.folder / "data"
    stored = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    for secret in SECRETS:
        assert secret not in shown, secret
        assert secret.encode() not in stored, secret


@pytest.mark.requirement("F6")
def test_an_unmatched_message_is_grouped_for_the_authors_of_rules(product: Product) -> None:
    (product.folder / "odd.py").write_text(
        "def work(run):\n    for n in range(3):\n"
        "        run.fail(f'x{n}', f'frobnicator {n} went sideways')\n"
    )
    product.configure(OWN.replace("own:leak", "odd:work"))
    product.start()
    wait_for(lambda: len(product.failures(category="unknown")) == 3)
    done = product.command("unclassified", "--url", product.url, "--json")
    groups = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(group["count"], "frobnicator" in group["message"]) for group in groups] == [(3, True)]


@pytest.mark.requirement("F8")
def test_no_field_that_clients_rely_on_has_gone(orders: Product) -> None:
    """The fields that were ever published are kept in a file; this fails when one is missing."""
    present = fields_of_answers(orders.get("/schema/openapi.json"))
    missing = {
        name: sorted(set(fields) - set(present.get(name, ())))
        for name, fields in published_fields().items()
        if set(fields) - set(present.get(name, ()))
    }
    assert missing == {}
