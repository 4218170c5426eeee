"""Metrics: there from the start, counted once on disk, bounded, and true after a restart."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import choose_encoder

from daemon import events
from daemon.clock import FakeClock
from daemon.config.values import Duration
from daemon.metrics import Clocks, Measured, Metrics
from daemon.metrics.exposition import exposition
from daemon.pipelines.catalog import Catalog, Registered
from daemon.store.entries import Committed, Entry
from daemon.store.retries import Retries
from daemon.taxonomy import CATEGORIES, Category, RunStatus, Trigger
from tests.unit.spine_support import (
    LEDGERS,
    START,
    Machinery,
    Store,
    assessed,
    ended,
    facts,
    failed,
    pipeline,
    started,
    store,
    succeeded,
)


def nothing(run: Any) -> None:
    """A pipeline without work."""


def catalog(*pipelines: Registered) -> Catalog:
    ingest = pipeline(nothing, "orders", "events", name="ingest", every=Duration(60))
    found = pipelines or (
        msgspec.structs.replace(ingest, counts_rows=True),
        pipeline(nothing, "one", name="nightly", cron="0 3 * * *"),
    )
    return Catalog({pipeline.name: pipeline for pipeline in found})


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as opened:
        yield opened


class Scraped:
    """Metrics in a registry of their own, over a store."""

    def __init__(self, target: Store, found: Catalog | None = None, max_sources: int = 100) -> None:
        self.metrics = Metrics("1.2.3", found or catalog(), target.live, max_sources)
        self.metrics.seed(target.runs.last_cycles())
        self.cycle_sources: dict[str, dict[str, int]] = {}
        self.paused: set[str] = set()
        self.next_cycles: dict[str, float] = {}
        self.work_queued: dict[str, int] = {}
        self.metrics.measure(
            Measured(
                open_failures=target.writer.standing.open,
                standing=target.standings.of,
                failed_sources=target.writer.standing.sources,
                cycle_sources=lambda: self.cycle_sources,
                retries_pending=lambda: Retries(target.database).pending(LEDGERS.waiting),
                work_queued=lambda: self.work_queued,
                queue_events=lambda: target.writer.pending,
                store_errors=lambda: target.writer.errors,
                store_bytes=target.database.size,
                store_free_bytes=target.database.free,
                is_paused=lambda pipeline: pipeline in self.paused,
                next_cycles=lambda: self.next_cycles,
                clocks=lambda: Clocks(behind_seconds=0.0, steps=0, retention_waits=False),
            )
        )
        target.recorder.subscribe(self.metrics.count)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"triaged_{name}", labels)

    def samples(self) -> list[Any]:
        found = [s for family in self.metrics.registry.collect() for s in family.samples]
        return [sample for sample in found if sample.name.startswith("triaged_")]


@pytest.fixture
def scraped(target: Store) -> Scraped:
    return Scraped(target)


@pytest.mark.requirement("M1")
def test_every_pipeline_and_category_is_there_at_zero_from_the_start(scraped: Scraped) -> None:
    for name in ("ingest", "nightly"):
        for category in CATEGORIES:
            for retryable in ("true", "false"):
                labels = {"pipeline": name, "category": category.value}
                assert scraped.value("failures_total", retryable=retryable, **labels) == 0
            assert scraped.value("failures_open", **labels) == 0
        for status in ("success", "partial", "failed", "interrupted", "cancelled"):
            assert scraped.value("runs_total", pipeline=name, status=status) == 0
        for outcome in ("success", "partial", "failed", "interrupted"):
            assert scraped.value("cycles_total", pipeline=name, outcome=outcome) == 0
        for reason in ("overlap", "missed", "paused"):
            assert scraped.value("cycles_skipped_total", pipeline=name, reason=reason) == 0
        for outcome in ("succeeded", "failed", "skipped"):
            assert scraped.value("items_total", pipeline=name, outcome=outcome) == 0
        for gauge in ("runs_active", "failures_retryable_ratio", "retries_pending"):
            assert scraped.value(gauge, pipeline=name) == 0
        for state in ("pending", "running", "done", "failed"):
            assert scraped.value("cycle_sources", pipeline=name, state=state) == 0
        assert scraped.value("cycle_duration_seconds_count", pipeline=name) == 0
        assert scraped.value("cycle_last_completion_timestamp_seconds", pipeline=name) == 0
    assert scraped.value("build_info", version="1.2.3") == 1
    assert scraped.value("cycle_interval_seconds", pipeline="ingest") == 60
    assert scraped.value("cycle_interval_seconds", pipeline="nightly") == 0
    assert scraped.value("rows_total", pipeline="ingest", outcome="loaded") == 0
    assert scraped.value("rows_total", pipeline="nightly", outcome="loaded") is None
    assert scraped.value("store_errors_total") == 0
    assert scraped.value("store_bytes") is not None


@pytest.mark.requirement("M1")
def test_what_happened_is_counted_once_it_is_on_disk(target: Store, scraped: Scraped) -> None:
    cause = assessed(category=Category.CONNECTION)
    target.put(
        started("run-1", trigger=Trigger.RETRY),
        failed("run-1", "a", assessment=cause, facts=facts("a", rows_loaded=5, rows_rejected=2)),
        failed("run-1", "a", first_cause=False, facts=facts("a", rows_loaded=5, rows_rejected=2)),
        succeeded("run-1", "b", facts=facts("b", rows_loaded=10)),
        Entry(
            events.ItemSkipped(
                at=START, run_id="run-1", pipeline="ingest", source="orders", count=4
            )
        ),
        ended("run-1", RunStatus.PARTIAL, duration_seconds=40.0),
    )
    labels = {"pipeline": "ingest"}
    value = scraped.value
    assert value("failures_total", category="connection", retryable="true", **labels) == 1
    assert value("failures_total", category="unknown", retryable="false", **labels) == 1
    assert value("items_total", outcome="failed", **labels) == 1
    assert value("items_total", outcome="succeeded", **labels) == 1
    assert value("items_total", outcome="skipped", **labels) == 4
    assert value("rows_total", outcome="loaded", **labels) == 15
    assert value("rows_total", outcome="rejected", **labels) == 2
    assert value("runs_total", status="partial", **labels) == 1
    assert value("run_duration_seconds_sum", status="partial", **labels) == 40
    assert value("run_duration_seconds_bucket", status="partial", le="15.0", **labels) == 0
    assert value("run_duration_seconds_bucket", status="partial", le="60.0", **labels) == 1
    for outcome in ("succeeded", "failed"):
        assert value("retries_total", outcome=outcome, **labels) == 1
    assert value("failures_open", category="connection", **labels) == 1
    assert value("failures_retryable_ratio", **labels) == 0.5
    assert value("store_commit_seconds_count") == 1
    assert value("store_queue_events") == 0


def test_open_failures_fall_when_they_are_resolved_and_counters_do_not(
    target: Store, scraped: Scraped
) -> None:
    target.put(started("run-1"), failed("run-1", "a"), ended("run-1", RunStatus.FAILED))
    labels = {"pipeline": "ingest", "category": "unknown"}
    assert scraped.value("failures_open", **labels) == 1
    target.put(started("run-2"), succeeded("run-2", "a"), ended("run-2"))
    assert scraped.value("failures_open", **labels) == 0
    assert scraped.value("failures_total", retryable="false", **labels) == 1


@pytest.mark.requirement("M1", "M3")
def test_a_source_fails_with_its_category_until_a_run_of_it_works(
    target: Store, scraped: Scraped
) -> None:
    labels = {"pipeline": "ingest", "source": "orders"}
    assert scraped.value("source_consecutive_failures", **labels) == 0
    assert scraped.value("source_last_success_timestamp_seconds", **labels) is None
    since = "source_failing_since_timestamp_seconds"
    assert scraped.value(since, **labels) is None
    for n in range(2):
        at = START + timedelta(minutes=n)
        target.put(ended(f"run-{n}", RunStatus.FAILED, at, category="authentication"))
    assert scraped.value(since, **labels) == START.timestamp()
    assert scraped.value("source_failing", category="authentication", **labels) == 1
    assert scraped.value("source_consecutive_failures", **labels) == 2
    target.put(ended("run-2", RunStatus.FAILED, category="connection"))
    assert scraped.value("source_failing", category="authentication", **labels) == 0
    assert scraped.value("source_failing", category="connection", **labels) == 1
    target.put(ended("run-3", RunStatus.INTERRUPTED), ended("run-4", RunStatus.CANCELLED))
    assert scraped.value("source_consecutive_failures", **labels) == 3
    assert scraped.value(since, **labels) == START.timestamp()
    target.put(ended("run-5", RunStatus.PARTIAL))
    assert scraped.value(since, **labels) is None
    assert scraped.value("source_failing", category="connection", **labels) == 0
    assert scraped.value("source_consecutive_failures", **labels) == 0
    assert scraped.value("source_last_success_timestamp_seconds", **labels) is None
    target.put(ended("run-6"))
    assert scraped.value("source_last_success_timestamp_seconds", **labels) == START.timestamp()


@pytest.mark.requirement("M1", "S3")
def test_gauges_go_on_after_a_restart_where_they_were(tmp_path: Path) -> None:
    labels = {"pipeline": "ingest", "source": "orders"}
    later, latest = START + timedelta(hours=1), START + timedelta(hours=2)
    with store(tmp_path) as target:
        target.put(
            started("20261120-1"),
            ended("20261120-1"),
            started("20261120-2", later),
            failed("20261120-2", None, later, assessment=assessed(category=Category.CONNECTION)),
            ended("20261120-2", RunStatus.FAILED, later, category="connection"),
            started("20261120-3", later),
            ended("20261120-3", RunStatus.FAILED, latest, category="connection"),
            *cycle(later),
        )
    with store(tmp_path) as target:
        scraped = Scraped(target)
        assert scraped.value("source_failing", category="connection", **labels) == 1
        assert scraped.value("source_consecutive_failures", **labels) == 2
        since = scraped.value("source_failing_since_timestamp_seconds", **labels)
        assert since == later.timestamp()
        assert scraped.value("source_last_success_timestamp_seconds", **labels) == START.timestamp()
        completion = scraped.value("cycle_last_completion_timestamp_seconds", pipeline="ingest")
        assert completion == later.timestamp()
        assert scraped.value("failures_open", pipeline="ingest", category="connection") == 1
        other = {"pipeline": "ingest", "source": "events"}
        assert scraped.value("source_consecutive_failures", **other) == 0


def cycle(at: Any) -> list[Entry]:
    return [
        Entry(
            events.CycleStarted(
                at=at, cycle_id="c", pipeline="ingest", trigger=Trigger.SCHEDULE, sources=()
            )
        ),
        Entry(
            events.CycleEnded(
                at=at,
                cycle_id="c",
                pipeline="ingest",
                outcome=RunStatus.FAILED,
                duration_seconds=3.0,
            )
        ),
    ]


def test_a_source_that_is_left_out_of_cycles_is_counted_by_itself(
    target: Store, scraped: Scraped
) -> None:
    alone = events.CycleSkipped(
        at=START, pipeline="ingest", reason="overlap", sources=("orders", "gone"), began=True
    )
    target.put(Entry(alone), Entry(msgspec.structs.replace(alone, began=False)))
    assert scraped.value("cycles_skipped_total", pipeline="ingest", reason="overlap") == 1
    labels = {"pipeline": "ingest", "source": "orders"}
    assert scraped.value("source_cycles_skipped_total", **labels) == 2


def test_cycles_are_counted_timed_and_dated(target: Store, scraped: Scraped) -> None:
    skip = events.CycleSkipped(at=START, pipeline="ingest", reason="paused")
    target.put(*cycle(START), Entry(skip))
    assert scraped.value("cycles_total", pipeline="ingest", outcome="failed") == 1
    assert scraped.value("cycle_duration_seconds_sum", pipeline="ingest") == 3
    assert scraped.value("cycles_skipped_total", pipeline="ingest", reason="paused") == 1
    completion = scraped.value("cycle_last_completion_timestamp_seconds", pipeline="ingest")
    assert completion == START.timestamp()


@pytest.mark.requirement("M1")
def test_progress_and_activity_are_shown_only_while_a_run_goes_on(
    target: Store, scraped: Scraped
) -> None:
    labels = {"pipeline": "ingest", "source": "orders"}
    run = target.run()
    assert scraped.value("runs_active", pipeline="ingest") == 1
    assert scraped.value("run_progress_ratio", **labels) is None
    run.progress(3, 4)
    assert scraped.value("run_progress_ratio", **labels) == 0.75
    run.progress(9, 4)
    assert scraped.value("run_progress_ratio", **labels) == 1
    run.progress(9, None)
    assert scraped.value("run_progress_ratio", **labels) is None
    target.end(run)
    assert scraped.value("runs_active", pipeline="ingest") == 0
    assert scraped.value("run_progress_ratio", **labels) is None


@pytest.mark.requirement("M1")
def test_sources_beyond_the_limit_have_no_series_and_a_metric_says_so(target: Store) -> None:
    names = [f"source-{n}" for n in range(10)]
    scraped = Scraped(target, catalog(pipeline(nothing, *names, name="ingest")), max_sources=4)
    for name in names:
        target.put(ended(f"run-of-{name}", RunStatus.FAILED, source=name, category="connection"))
        target.run(source=name).progress(1, 2)
    found = {s.labels["source"] for s in scraped.samples() if "source" in s.labels}
    assert found == set(names[:4])
    assert scraped.value("sources_without_series") == 6
    assert scraped.value("runs_active", pipeline="ingest") == 10
    assert scraped.value("runs_total", pipeline="ingest", status="failed") == 10


@pytest.mark.requirement("M1", "F6")
def test_labels_come_from_the_configuration_and_the_vocabularies_alone(
    target: Store, scraped: Scraped
) -> None:
    person = "jane@example.com"
    run = target.run()
    run.step("fetching", f"for {person}")
    run.fail(f"/home/{person}/a.csv", f"no {person}")
    run.succeed(person)
    target.end(run)
    for sample in scraped.samples():
        assert set(sample.labels) <= {
            *("pipeline", "source", "category", "retryable", "status", "outcome", "reason"),
            *("state", "version", "channel", "le"),
        }
        assert person not in str(sample.labels)
        assert run.run_id not in str(sample.labels)


@pytest.mark.requirement("M1")
@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text; version=1.0.0"])
def test_both_formats_hold_every_family_once(scraped: Scraped, accept: str) -> None:
    body, content_type = scraped.metrics.exposition(accept)
    assert content_type.startswith(accept.split(";", maxsplit=1)[0])
    types = [line.split()[2] for line in body.decode().splitlines() if line.startswith("# TYPE")]
    assert max(collections.Counter(types).values()) == 1
    assert "_created" not in body.decode()


@pytest.mark.requirement("M1")
@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
@settings(deadline=None)
@example(text='a "b"\\\n', values={('a "b"\\\n', ""): 1.5})
@given(
    text=st.text(),
    values=st.dictionaries(st.tuples(st.text(), st.text()), st.floats(), max_size=5),
)
def test_what_is_written_is_what_the_client_library_would_write(
    accept: str, text: str, values: dict[tuple[str, str], float]
) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("triaged_gauge", text, ["pipeline", "source"], registry=registry)
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
    Gauge("triaged_plain", "Plain.", registry=registry).set(1e9)
    Counter("triaged_counter", "More.", ["pipeline"], registry=registry).labels("a").inc(3)
    encode, content_type = choose_encoder(accept)
    body, said = exposition(registry, accept)
    assert said == content_type
    ours, theirs = body.decode().split("\n"), encode(registry).decode().split("\n")
    assert sorted(ours) == sorted(theirs)
    assert ours[-2:] == theirs[-2:] or not accept


def test_a_batch_is_counted_whatever_its_size(scraped: Scraped) -> None:
    entries = [failed(f"run-{n}", f"{n}") for n in range(1000)]
    scraped.metrics.count(Committed(entries, collections.Counter(), 0.5))
    labels = {"pipeline": "ingest", "category": "unknown", "retryable": "false"}
    assert scraped.value("failures_total", **labels) == 1000
    assert scraped.value("store_commit_seconds_sum") == 0.5


@pytest.mark.requirement("X3")
def test_metrics_are_there_while_the_store_cannot_be_read(tmp_path: Path) -> None:
    with store(tmp_path, FakeClock(START)) as target:
        scraped = Scraped(target)
        target.put(failed("run-1", "a", facts=facts("a"), assessment=assessed(retryable=True)))
        assert scraped.value("retries_pending", pipeline="ingest") == 1
        target.database.close()
        assert scraped.value("retries_pending", pipeline="ingest") == 1
        assert b"triaged_store_errors_total" in scraped.metrics.exposition("")[0]


def test_the_sources_of_a_cycle_are_shown_by_state(tmp_path: Path) -> None:
    with store(tmp_path, FakeClock(START)) as target:
        machinery = Machinery(target, pipeline(nothing, "a", "b"))
        scraped = Scraped(target, machinery.catalog)
        registered = machinery.catalog.pipeline("nightly")
        machinery.cycles.run(registered, registered.sources.values(), Trigger.MANUAL)
        scraped.cycle_sources = {
            name: counts.counts for name, counts in machinery.cycles.sources.items()
        }
        assert scraped.value("cycle_sources", pipeline="nightly", state="done") == 2


@pytest.mark.requirement("M1")
def test_exemplars_name_the_latest_run_in_openmetrics_alone(
    target: Store, scraped: Scraped
) -> None:
    target.put(failed("run-0", "a"), failed("run-1", "b"), failed("run-1", "c"))
    target.put(ended("run-1", RunStatus.FAILED, duration_seconds=2.0))
    text, openmetrics = (
        scraped.metrics.exposition(accept)[0].decode().splitlines()
        for accept in ("text/plain", "application/openmetrics-text; version=1.0.0")
    )
    assert not any("run-1" in line for line in text)
    failures = (
        'triaged_failures_total{category="unknown",pipeline="ingest",retryable="false"} 3.0 '
        '# {run_id="run-1"} 3.0 '
    )
    bucket = (
        'triaged_run_duration_seconds_bucket{le="5.0",pipeline="ingest",status="failed"} 1.0 '
        '# {run_id="run-1"} 2.0 '
    )
    runs = 'triaged_runs_total{pipeline="ingest",status="failed"} 1.0 # {run_id="run-1"} 1.0 '
    shown = [line for line in openmetrics if "run_id" in line]
    assert [line.rsplit(" ", 1)[0] + " " for line in sorted(shown)] == [failures, bucket, runs]


@pytest.mark.requirement("M1")
def test_paused_pipelines_and_due_cycles_are_shown(scraped: Scraped) -> None:
    scraped.paused = {"nightly"}
    scraped.next_cycles = {"ingest": 1_800_000_000.0}
    assert scraped.value("pipeline_paused", pipeline="nightly") == 1
    assert scraped.value("pipeline_paused", pipeline="ingest") == 0
    assert scraped.value("cycle_next_timestamp_seconds", pipeline="ingest") == 1_800_000_000
    assert scraped.value("cycle_next_timestamp_seconds", pipeline="nightly") is None


@pytest.mark.requirement("M1", "X8")
def test_runs_that_wait_for_their_turn_are_counted(scraped: Scraped) -> None:
    scraped.work_queued = {"ingest": 3}
    assert scraped.value("work_queued", pipeline="ingest") == 3
    assert scraped.value("work_queued", pipeline="nightly") == 0


@pytest.mark.requirement("M1")
def test_the_space_that_is_left_for_the_store_is_shown(scraped: Scraped) -> None:
    assert (scraped.value("store_free_bytes") or 0) > 0


@pytest.mark.requirement("M1", "M3")
def test_a_source_that_is_switched_off_has_no_series(target: Store) -> None:
    registered = pipeline(nothing, "on", "off", name="ingest")
    off = msgspec.structs.replace(registered.sources["off"], enabled=False)
    sources = registered.sources | {"off": off}
    found = Catalog({"ingest": msgspec.structs.replace(registered, sources=sources)})
    scraped = Scraped(target, found)
    target.put(ended("run-1", RunStatus.FAILED, source="off", category="authentication"))
    assert {s.labels["source"] for s in scraped.samples() if "source" in s.labels} == {"on"}
    assert scraped.value("sources_without_series") == 0
