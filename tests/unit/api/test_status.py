"""What goes on now, runs and statistics over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon import events
from tests.unit.api_support import ADDRESS, Served, may_go_on, serving, until
from tests.unit.spine_support import started


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


@pytest.mark.requirement("F2")
def test_an_idle_daemon_says_so(served: Served) -> None:
    answer = served.get("/api/processing/current-status")
    assert answer["is_processing"] is False
    assert answer["current_status"] is None
    assert answer["active"] == answer["recent_runs"] == []
    assert answer["statistics"] is None
    assert answer["websocket_available"] is True
    assert answer["failure_summary"] == {
        "has_recent_failures": False,
        "failure_count": 0,
        "most_recent_failure": None,
    }
    assert datetime.fromisoformat(answer["timestamp"]).utcoffset() == UTC.utcoffset(None)


@pytest.mark.requirement("F2", "S1")
def test_an_active_run_is_shown_with_step_and_progress(served: Served) -> None:
    served.client.post("/api/pipelines/patient/run")

    def waiting() -> Any:
        active = served.get("/api/processing/status")["active"]
        return next((run for run in active if run["progress"] and run["current_step"]), None)

    shown = until(waiting)
    assert (shown["pipeline"], shown["source"]) == ("patient", "patient")
    assert shown["email_address"] is None
    assert shown["state"] == "processing"
    assert shown["current_step"] == "waiting for the test"
    assert shown["progress"] == {"current": 4, "total": 10}
    stored = served.get(f"/api/runs/{shown['run_id']}")
    assert (stored["status"], stored["final_state"], stored["end_time"]) == ("running", None, None)
    assert stored["final_progress"] == {"current": 4, "total": 10}
    assert served.get("/api/processing/history")["total_runs"] == 0
    may_go_on.set()
    until(lambda: not served.get("/api/processing/status")["is_processing"])
    assert served.get(f"/api/runs/{shown['run_id']}")["final_state"] == "COMPLETED"


@pytest.mark.requirement("F2")
def test_recent_runs_are_limited_and_the_summary_does_not_depend_on_them(served: Served) -> None:
    for _ in range(3):
        served.run("mailbox")
    answer = served.get("/api/processing/current-status", recent_limit=2)
    assert len(answer["recent_runs"]) == 2
    without = served.get("/api/processing/current-status", include_recent="false")
    assert without["recent_runs"] == []
    assert without["failure_summary"] == answer["failure_summary"]
    assert answer["failure_summary"]["has_recent_failures"] is True
    assert answer["failure_summary"]["most_recent_failure"]["source"] in ("support", "sales")
    none = served.get("/api/processing/current-status", include_failure_summary="false")
    assert none["failure_summary"] is None


@pytest.mark.requirement("F2", "I5")
def test_a_run_says_how_it_ended_and_why(served: Served) -> None:
    served.run("mailbox")
    (run,) = served.get("/api/runs", email_address=ADDRESS.lower())["runs"]
    assert run["email_address"] == ADDRESS
    assert (run["status"], run["final_state"]) == ("partial", "PARTIAL")
    assert run["final_step"] == "connecting to the server"
    assert run["final_progress"] == {"current": 1, "total": 3}
    assert run["counts"] == {"succeeded": 1, "failed": 2, "skipped": 0}
    assert run["retryable_failures"] == 1
    assert {tuple(cause["examples"]) for cause in run["top_errors"]} == {("second",), ("third",)}
    assert run == served.get(f"/api/runs/{run['run_id']}")


@pytest.mark.requirement("F2")
def test_a_run_whose_end_is_stored_counts_what_it_did_before_the_live_one_is_told_of_it(
    served: Served,
) -> None:
    served.run("mailbox")
    (run,) = served.get("/api/runs", email_address=ADDRESS.lower())["runs"]
    began = started(run["run_id"], pipeline="mailbox", source=run["source"]).event
    assert isinstance(began, events.RunStarted)
    served.daemon.live.begin(began)
    (again,) = served.get("/api/runs", email_address=ADDRESS.lower())["runs"]
    assert again == run


@pytest.mark.requirement("S5")
def test_history_is_filtered_and_paged(served: Served) -> None:
    served.run("mailbox")
    served.run("mailbox")
    first = served.get("/api/processing/history", limit=3)
    second = served.get("/api/processing/history", limit=3, cursor=first["next_cursor"])
    found = [run["run_id"] for run in first["runs"] + second["runs"]]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == first["total_runs"] == 4
    assert second["next_cursor"] is None
    assert served.get("/api/processing/history", status="success")["total_runs"] == 0
    assert served.get("/api/processing/history", source="sales")["total_runs"] == 2
    assert served.get("/api/processing/history", q="REFUSED")["total_runs"] == 4


@pytest.mark.requirement("S5")
def test_statistics_count_the_runs_of_each_source_and_of_all(served: Served) -> None:
    served.run("mailbox")
    answer = served.get("/api/processing/statistics")
    assert [(s["pipeline"], s["source"]) for s in answer["sources"]] == [
        ("mailbox", "sales"),
        ("mailbox", "support"),
    ]
    totals = answer["totals"]
    assert (totals["runs"], totals["partial"], totals["success_rate"]) == (2, 2, 0.0)
    assert (totals["items_succeeded"], totals["items_failed"]) == (2, 4)
    assert {c["category"]: c["count"] for c in totals["failures_by_category"]} == {
        "connection": 2,
        "authentication": 2,
    }
    one = served.get("/api/processing/statistics", source="sales")
    assert one["totals"]["runs"] == len(one["sources"]) == 1
    before = served.get("/api/processing/statistics", until="2001-01-01T00:00:00Z")
    assert before["totals"]["runs"] == 0
    assert before["totals"]["success_rate"] is None


@pytest.mark.requirement("I4")
def test_the_log_of_a_run_is_json_lines(served: Served) -> None:
    served.run("mailbox")
    run = served.get("/api/runs", source="support")["runs"][0]
    response = served.client.get(run["log_url"])
    assert response.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line["event"] for line in lines] == [
        "run_started",
        "step",
        "failure",
        "failure",
        "run_ended",
    ]
    assert {line["run_id"] for line in lines} == {run["run_id"]}
    assert lines[2]["file_path"] == "second"
    assert lines[2]["error_category"] == "connection"
    assert lines[2]["retryable"] is True


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("path", ["/api/runs/nothing", "/api/runs/nothing/log"])
def test_a_run_that_does_not_exist_is_not_found(served: Served, path: str) -> None:
    assert served.problem(404, path)["detail"] == "there is no such run"


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("limit", ["0", "51"])
def test_the_number_of_recent_runs_is_bounded(served: Served, limit: str) -> None:
    problem = served.problem(400, "/api/processing/current-status", params={"recent_limit": limit})
    assert problem["errors"] == [
        {"expected": "a whole number from 1 to 50", "parameter": "recent_limit"}
    ]


@pytest.mark.requirement("I2", "F2", "S10")
def test_everybody_says_the_same_of_a_source_whose_runs_skip_what_is_broken(
    served: Served, tmp_path: Path
) -> None:
    (tmp_path / "inbox").mkdir(exist_ok=True)
    (tmp_path / "inbox/good.csv").write_text("id,amount\n1,2\n")
    (tmp_path / "inbox/bad.csv").write_text("id,amount\n1,many\n")
    for _ in range(3):
        served.run("ingest")
    status = served.get("/api/processing/current-status", include_stats=True)
    assert [run["final_state"] for run in status["recent_runs"]] == ["PARTIAL"] * 2
    assert [run["idle_runs"] for run in status["recent_runs"]] == [2, 0]
    assert status["recent_runs"][0]["user_message"].startswith("1 failure of an earlier run")
    assert status["failing_sources"] == 1
    (failing,) = status["failing"]
    assert (failing["pipeline"], failing["source"], failing["enabled"]) == (
        "ingest",
        "orders",
        True,
    )
    (pipeline,) = [p for p in served.get("/api/pipelines")["pipelines"] if p["failing_sources"]]
    (source,) = pipeline["sources"]
    (statistics,) = status["statistics"]["sources"]
    standing = served.get("/api/ingestions/orders")["standing"]
    assert standing == source["standing"] == statistics["standing"]
    assert standing.items() <= failing.items()
    assert standing["failing"] is True
    assert standing["open_failures"] == standing["consecutive_failures"] == 1
    assert standing["last_success_at"] is None
    assert standing["last_worked_at"] is not None
    assert statistics["success"] == 0
    rows = served.get("/api/report/sources", source="orders")
    assert (rows[0]["failing_category"], rows[0]["open_failures"]) == (
        standing["categories"][0]["category"],
        1,
    )
    (tmp_path / "inbox/bad.csv").write_text("id,amount\n1,3\n")
    served.run("ingest")
    assert served.get("/api/processing/status")["failing"] == []
    assert served.get("/api/ingestions/orders")["standing"]["last_success_at"] is not None


@pytest.mark.requirement("I2")
def test_a_source_that_is_gone_fails_with_what_it_left_open(served: Served) -> None:
    served.run("mailbox")
    served.daemon.catalog.remove_source("mailbox", "sales")
    failing = {s["source"]: s["enabled"] for s in served.get("/api/processing/status")["failing"]}
    assert failing == {"sales": False, "support": True}


@pytest.mark.requirement("I2", "F2", "S5")
def test_runs_without_anything_to_do_push_no_failed_one_out_of_what_is_shown(
    served: Served,
) -> None:
    served.run("mailbox")
    may_go_on.set()
    for _ in range(30):
        served.run("patient")
    recent = served.get("/api/processing/current-status", recent_limit=3)["recent_runs"]
    assert (recent[0]["source"], recent[0]["idle_runs"]) == ("patient", 30)
    assert {run["source"] for run in recent[1:]} == {"sales", "support"}
    history = served.get("/api/processing/history", limit=3)
    assert history["runs"] == recent
    assert (history["total_runs"], history["next_cursor"]) == (32, None)
    every = served.get("/api/processing/history", limit=3, include_idle=True)
    assert [run["source"] for run in every["runs"]] == ["patient"] * 3
    assert every["total_runs"] == 32
    assert served.get("/api/runs", limit=3)["runs"] == every["runs"]
    assert served.get("/api/runs", limit=3, include_idle=False)["runs"] == recent
    assert len(served.get("/api/processing/history", source="patient")["runs"]) == 1
