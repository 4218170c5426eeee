"""Lines for pipes and logs: every change once, in order."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from api.schemas.runs import ItemCounts, RunDetail
from api.schemas.status import CurrentRun
from daemon.cli.changes import Changes
from daemon.pipelines.catalog import Catalog
from daemon.store.columns.runs import RunRecord
from daemon.taxonomy import RunState

MOMENT = datetime(2026, 11, 22, 8, tzinfo=UTC)


def active(run_id: str, state: RunState = RunState.FETCHING, step: str = "a step") -> CurrentRun:
    return CurrentRun(
        email_address=None,
        source="orders",
        pipeline="ingest",
        run_id=run_id,
        state=state,
        current_step=step,
        progress=None,
        start_time=MOMENT,
        last_updated=MOMENT,
        error_message=None,
        counts=ItemCounts(succeeded=0, failed=0, skipped=0),
    )


def ended(run_id: str, status: str = "partial") -> RunDetail:
    values: dict[str, object] = dict.fromkeys(RunRecord.__struct_fields__)
    values |= {
        "run_id": run_id, "pipeline": "ingest", "source": "orders", "cycle_id": "c",
        "started_by": "manual", "status": status, "state": "completed", "step": "",
        "started_at": MOMENT, "ended_at": MOMENT, "duration_seconds": 1.5,
        "succeeded": 1200, "failed": 1, "skipped": 0, "retryable": 0, "top_errors": [],
    }  # fmt: skip
    return RunDetail.of(msgspec.convert(values, RunRecord), Catalog({}))


def test_a_step_is_said_once_and_again_when_it_changes():
    changes = Changes()
    assert [line.split("  ", 1)[1] for line in changes.started([active("1")])] == [
        "ingest/orders  fetching: a step"
    ]
    assert list(changes.started([active("1")])) == []
    assert len(list(changes.started([active("1", step="another")]))) == 1
    assert "processing" in next(iter(changes.started([active("1", RunState.PROCESSING)])))


def test_an_ended_run_is_said_once_with_its_counts_oldest_first():
    changes = Changes()
    lines = list(changes.ended([ended("2", "failed"), ended("1")]))
    assert "partial after 1.50 s: 1,200 succeeded, 1 failed, 0 skipped" in lines[0]
    assert "failed after" in lines[1]
    assert list(changes.ended([ended("2", "failed"), ended("1")])) == []


def test_runs_that_were_over_before_are_not_news():
    changes = Changes()
    changes.skip([ended("1")])
    assert list(changes.ended([ended("1")])) == []


def test_a_step_from_outside_stays_on_its_line():
    lines = list(Changes().started([active("1", step="two\nlines\x1b[2J")]))
    assert len(lines) == 1
    assert lines[0].isprintable()
