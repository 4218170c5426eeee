"""Retries by hand on a whole daemon: what is chosen, what is run, and what is said of each item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import Conflict, NotFound
from daemon.operations.retries.requests import RetryRequest
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
from daemon.store.columns.retries import RetryRecord
from daemon.store.filters import FailureFilter
from daemon.taxonomy import Trigger
from tests.unit.spine_support import PATIENCE, wait_for

CONFIG = """
[pipelines.ingest]
[pipelines.ingest.sources.orders]
files = "inbox/*.csv"
table = "orders"
settle = "1ms"
columns = { id = "BIGINT" }
[pipelines.letters]
run = "tests.unit.operations.test_retries:letters"
[pipelines.letters.sources.office]
[pipelines.letters.sources.branch]
"""
GOOD, BAD = "id\n1\n", "id\n1\nmany\n"

trouble: dict[str, Exception] = {}
"""What the letters of these names fail with."""
further: list[str] = []
"""Letters beside the usual ones."""
runs: list[tuple[str, frozenset[str] | None]] = []
"""The source and the wanted items of every run."""
whole: list[Exception] = []
"""What runs as a whole fail with."""


def letters(run: Any) -> None:
    """A pipeline that goes by what is wanted of it."""
    runs.append((run.source, run.wanted))
    if whole:
        raise whole[0]
    for name in ("ann", "bob", "cy", "to di@example.com", *further):
        if run.wanted is not None and name not in run.wanted:
            continue
        if error := trouble.get(name):
            run.fail(name, error)
        else:
            run.succeed(name)


def refused() -> Exception:
    return ConnectionRefusedError(111, "Connection refused")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    for kept in (trouble, further, runs, whole):
        kept.clear()
    (tmp_path / "inbox").mkdir()
    opened = start(tmp_path)
    yield opened
    opened.stop(PATIENCE)


def start(folder: Path) -> Daemon:
    (folder / "triaged.toml").write_text(CONFIG)
    daemon = Daemon(load_settings(folder / "triaged.toml", {}))
    daemon.start(schedule=False)
    return daemon


def cycle(daemon: Daemon, pipeline: str = "letters", *sources: str) -> None:
    registered = daemon.catalog.pipeline(pipeline)
    chosen = [s for s in registered.sources.values() if not sources or s.name in sources]
    daemon.cycles.run(registered, chosen, Trigger.MANUAL)
    assert daemon.writer.flush(PATIENCE)


def failing(daemon: Daemon, **names: Exception) -> None:
    """Letters that fail once, in the office; nothing is wrong with them any more."""
    trouble.update(names)
    cycle(daemon, "letters", "office")
    trouble.clear()
    runs.clear()


def ask(daemon: Daemon, **options: Any) -> RetryRecord:
    chosen = FailureFilter(**options.pop("filter", {}))
    return daemon.retry_requests.ask(RetryRequest(filter=chosen, **options), "{}", "local")


def finish(daemon: Daemon, operation: RetryRecord) -> RetryRecord:
    daemon.retry_worker.start()
    return wait_for(
        lambda: (found := daemon.retries.get(operation.operation_id)).ended_at is not None and found
    )


def sums(daemon: Daemon, operation: RetryRecord) -> tuple[int, int, int, int]:
    """Items, succeeded, failed again, not retried."""
    rows = daemon.retries.progress([operation.operation_id]).get(operation.operation_id, [])
    return tuple(sum(row[n] for row in rows) for n in range(2, 6))  # type: ignore[return-value]


def unsuccessful(daemon: Daemon, operation: RetryRecord) -> dict[str | None, str]:
    page = daemon.retries.unsuccessful(operation.operation_id, 100)
    assert page.total == len(page.items)
    return {item.item: item.reason or item.outcome for item in page.items}


def statuses(daemon: Daemon) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for failure in daemon.failures.page(FailureFilter(), 100).failures:
        found.setdefault(failure.item, []).append(failure.status)
    return found


def test_only_the_chosen_items_are_asked_for_and_a_success_resolves_them(daemon: Daemon) -> None:
    failing(daemon, ann=refused(), bob=refused(), cy=TimeoutError("timed out"))
    trouble["bob"] = refused()
    operation = finish(daemon, ask(daemon, filter={"q": "refused"}))
    assert operation.state == "completed"
    assert runs == [("office", frozenset({"ann", "bob"}))]
    assert sums(daemon, operation) == (2, 1, 1, 0)
    assert statuses(daemon) == {"ann": ["resolved"], "bob": ["open", "retrying"], "cy": ["open"]}
    (again,) = daemon.retries.unsuccessful(operation.operation_id, 100).items
    newest = daemon.failures.page(FailureFilter(), 1).failures[0]
    assert (again.item, again.new_failure_id, again.category) == ("bob", newest.id, "connection")


def test_what_cannot_succeed_is_left_out_and_counted_unless_the_person_insists(
    daemon: Daemon,
) -> None:
    denied = PermissionError(13, "Permission denied")
    failing(daemon, ann=refused(), bob=denied)
    operation = finish(daemon, ask(daemon))
    assert (operation.failures, operation.selected, operation.not_retryable) == (2, 2, 1)
    assert runs == [("office", frozenset({"ann"}))]
    operation = finish(daemon, ask(daemon, include_not_retryable=True))
    assert (operation.selected, operation.resolved, operation.not_retryable) == (2, 1, 0)
    assert runs[1:] == [("office", frozenset({"bob"}))]
    assert statuses(daemon) == {"ann": ["resolved"], "bob": ["resolved"]}


def test_a_failure_that_a_later_attempt_superseded_is_not_retried_for_its_old_cause(
    daemon: Daemon,
) -> None:
    failing(daemon, ann=refused())
    failing(daemon, ann=TimeoutError("timed out"))
    operation = finish(daemon, ask(daemon, filter={"q": "refused"}))
    assert (operation.selected, operation.superseded) == (1, 1)
    assert runs == []
    operation = finish(daemon, ask(daemon))
    assert (operation.failures, operation.selected, operation.superseded) == (2, 1, 0)
    assert statuses(daemon) == {"ann": ["resolved", "resolved"]}


def test_an_item_whose_name_is_masked_is_retried_by_asking_for_all(daemon: Daemon) -> None:
    failing(daemon, **{"to di@example.com": refused()})
    (item,) = statuses(daemon)
    assert item is not None
    assert "di@example.com" not in item
    operation = finish(daemon, ask(daemon))
    assert runs == [("office", None)]
    assert sums(daemon, operation) == (1, 1, 0, 0)


def test_a_run_that_failed_as_a_whole_is_run_again(daemon: Daemon) -> None:
    whole.append(refused())
    cycle(daemon)
    runs.clear()
    whole.clear()
    operation = finish(daemon, ask(daemon))
    assert sorted(runs, key=str) == [("branch", None), ("office", None)]
    assert sums(daemon, operation) == (2, 2, 0, 0)
    assert statuses(daemon) == {None: ["resolved", "resolved"]}


def test_items_of_a_run_that_fails_as_a_whole_are_said_not_to_be_retried(daemon: Daemon) -> None:
    failing(daemon, ann=refused())
    whole.append(TimeoutError("timed out"))
    operation = finish(daemon, ask(daemon))
    (item,) = daemon.retries.unsuccessful(operation.operation_id, 100).items
    newest = daemon.failures.page(FailureFilter(), 1).failures[0]
    assert (item.item, item.reason, item.new_failure_id) == ("ann", "run_failed", newest.id)


def test_an_item_that_the_run_does_not_come_to_is_said_not_to_be_touched(daemon: Daemon) -> None:
    trouble["ann"] = refused()
    cycle(daemon, "letters", "office")
    trouble["ann"] = None  # type: ignore[assignment]
    daemon.catalog.pipelines["letters"] = daemon.catalog.pipelines["letters"].__class__(
        "letters",
        lambda _: None,
        daemon.catalog.pipelines["letters"].config,
        daemon.catalog.pipelines["letters"].sources,
    )
    operation = finish(daemon, ask(daemon))
    assert unsuccessful(daemon, operation) == {"ann": "not_touched"}


def test_a_source_that_the_configuration_has_no_more_is_said_to_be_unknown(
    daemon: Daemon,
) -> None:
    failing(daemon, ann=refused())
    del daemon.catalog.pipelines["letters"].sources["office"]
    operation = finish(daemon, ask(daemon))
    assert unsuccessful(daemon, operation) == {"ann": "source_unknown"}
    assert daemon.metrics.registry.get_sample_value(
        "triaged_retries_total", {"pipeline": "letters", "outcome": "not_retried"}
    )


def test_files_are_read_again_and_nothing_else(daemon: Daemon, tmp_path: Path) -> None:
    for name in ("bad", "worse", "gone", "aside", "for ann@example.com"):
        (tmp_path / f"inbox/{name}.csv").write_text(BAD)
    cycle(daemon, "ingest")
    for name in ("bad", "for ann@example.com", "untouched"):
        (tmp_path / f"inbox/{name}.csv").write_text(GOOD)
    (tmp_path / "inbox/gone.csv").unlink()
    before = {f.item: f.id for f in daemon.failures.page(FailureFilter(), 100).failures}
    operation = ask(daemon, failure_ids=tuple(before.values()), include_not_retryable=True)
    daemon.file_operations.ignore("orders", ["aside.csv"])
    operation = finish(daemon, operation)
    assert sums(daemon, operation) == (5, 2, 1, 2)
    assert unsuccessful(daemon, operation) == {
        "worse.csv": "failed_again",
        "gone.csv": "file_gone",
        "aside.csv": "set_aside",
    }
    assert dict(daemon.database.read().rows("SELECT path, status FROM files")) == {
        "bad.csv": "success",
        "for ann@example.com.csv": "success",
        "worse.csv": "partial",
        "gone.csv": "partial",
        "aside.csv": "ignored",
    }


def test_an_operation_waits_for_a_paused_pipeline_and_says_so(daemon: Daemon) -> None:
    failing(daemon, ann=refused())
    daemon.pipeline_operations.pause("letters")
    operation = ask(daemon)
    daemon.retry_worker.start()
    text = wait_for(lambda: daemon.retry_worker.text(operation.operation_id))
    assert text == "waits: the pipeline letters is paused"
    assert daemon.retries.pending(daemon.ledgers.waiting) == {"letters": 1}
    assert runs == []
    daemon.pipeline_operations.resume("letters")
    assert finish(daemon, operation).state == "completed"
    assert daemon.retries.pending(daemon.ledgers.waiting) == {}


def test_an_operation_that_was_cancelled_does_nothing_more(daemon: Daemon) -> None:
    failing(daemon, ann=refused())
    operation = ask(daemon)
    cancelled = daemon.retry_requests.cancel(operation.operation_id)
    assert (cancelled.state, finish(daemon, operation).state) == ("cancelled", "cancelled")
    with pytest.raises(Conflict, match="ended already"):
        daemon.retry_requests.cancel(operation.operation_id)
    assert finish(daemon, ask(daemon)).in_other_operation == 0
    assert len(runs) == 1


def test_an_item_is_not_in_two_operations_at_a_time(daemon: Daemon) -> None:
    failing(daemon, ann=refused(), bob=refused())
    first = ask(daemon, filter={"q": "ann"})
    second = ask(daemon)
    assert (second.selected, second.in_other_operation) == (2, 1)
    finish(daemon, first)
    finish(daemon, second)
    assert sorted(runs, key=str) == [
        ("office", frozenset({"ann"})),
        ("office", frozenset({"bob"})),
    ]


def test_operations_on_the_same_source_take_turns(daemon: Daemon) -> None:
    further.extend(f"{name}{n}" for name in ("ann", "bob") for n in range(30))
    failing(daemon, **{name: refused() for name in further})
    found = daemon.failures.page(FailureFilter(), 100).failures
    first, second = (
        ask(daemon, failure_ids=tuple(f.id for f in found if str(f.item).startswith(name)))
        for name in ("ann", "bob")
    )
    finish(daemon, first)
    finish(daemon, second)
    turns = [min(wanted or ())[:3] for _, wanted in runs]
    assert turns == ["ann", "bob", "ann", "bob"]
    assert sums(daemon, first) == sums(daemon, second) == (30, 30, 0, 0)


def test_what_something_has_come_of_meanwhile_is_not_run_again(daemon: Daemon) -> None:
    failing(daemon, ann=refused(), bob=refused())
    operation = ask(daemon)
    trouble["bob"] = refused()
    cycle(daemon, "letters", "office")
    runs.clear()
    operation = finish(daemon, operation)
    assert runs == []
    assert sums(daemon, operation) == (2, 1, 1, 0)


def test_a_preview_says_what_would_be_retried_and_changes_nothing(daemon: Daemon) -> None:
    failing(daemon, ann=refused(), bob=PermissionError(13, "Permission denied"))
    choice, sources = daemon.retry_requests.preview(RetryRequest())
    assert (choice.failures, choice.selected, choice.not_retryable) == (2, 2, 1)
    assert [tuple(source)[:3] for source in sources] == [("letters", "office", 1)]
    assert daemon.retries.total() == 0


@pytest.mark.requirement("X4")
def test_failures_that_do_not_exist_are_named_and_change_nothing(daemon: Daemon) -> None:
    failing(daemon, ann=refused())
    with pytest.raises(NotFound, match="no failure 77, 78"):
        ask(daemon, failure_ids=(1, 78, 77))
    with pytest.raises(NotFound):
        daemon.retry_requests.cancel("20260101T000000000-00000000")
    assert daemon.retries.total() == 0


@pytest.mark.requirement("X3")
def test_what_a_stop_leaves_is_done_after_the_next_start(daemon: Daemon, tmp_path: Path) -> None:
    failing(daemon, ann=refused(), bob=refused())
    operation = ask(daemon)
    daemon.stop(PATIENCE)
    again = start(tmp_path)
    try:
        assert finish(again, operation).state == "completed"
        assert sums(again, operation) == (2, 2, 0, 0)
    finally:
        again.stop(PATIENCE)
