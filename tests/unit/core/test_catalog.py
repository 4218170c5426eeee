"""Sources that come, change and go while the daemon runs: catalog, metrics, retries and cycles follow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.clock import SystemClock
from daemon.config import RetryConfig
from daemon.errors import NotFound
from daemon.events import RunStarted
from daemon.gate import Reason
from daemon.metrics.sources import ShownSources
from daemon.pipelines.catalog import Catalog, Source
from daemon.retry.automatic import AutomaticRetries
from daemon.store.runs import RunFilter
from daemon.taxonomy import RunStatus, Trigger
from tests.unit.spine_support import (
    PATIENCE,
    Machinery,
    Store,
    in_thread,
    pipeline,
    store,
    wait_for,
)


def nothing(run: Any) -> None:
    """A pipeline without work."""


def refused(run: Any) -> None:
    raise RuntimeError("[AUTHENTICATIONFAILED] Invalid credentials")


def source(name: str, version: str = "2", *, enabled: bool = True) -> Source:
    return Source(name, enabled, {}, version=lambda: version)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path, SystemClock()) as opened:
        yield opened


@pytest.mark.requirement("S10")
def test_a_source_is_added_replaced_and_removed_and_what_was_looked_up_stays_as_it_was() -> None:
    found = Catalog({"nightly": pipeline(nothing, "a")})
    told: list[tuple[str, str, Source | None]] = []
    found.follow(lambda *change: told.append(change))
    before = found.pipeline("nightly")
    new, changed = source("b"), source("a")
    found.set_source("nightly", new)
    found.set_source("nightly", changed)
    found.remove_source("nightly", "b")
    assert list(before.sources) == list(found.pipeline("nightly").sources) == ["a"]
    assert (before.sources["a"].version(), found.source("nightly", "a").version()) == ("", "2")
    assert found.find("nightly", "b") is None
    assert told == [
        ("nightly", "b", new),
        ("nightly", "a", changed),
        ("nightly", "b", None),
    ]
    with pytest.raises(NotFound):
        found.remove_source("nightly", "b")
    with pytest.raises(NotFound):
        found.set_source("weekly", source("b"))


@pytest.mark.requirement("S10", "M1")
def test_series_of_sources_follow_the_catalog_up_to_their_limit() -> None:
    found = Catalog({"nightly": pipeline(nothing, "a", "b")})
    shown = ShownSources(found, 2)
    kept = dict(shown.items())["nightly", "b"]
    found.set_source("nightly", source("c"))
    assert ([name for (_, name), _ in shown.items()], shown.unseen) == (["a", "b"], 1)
    found.remove_source("nightly", "a")
    assert ([name for (_, name), _ in shown.items()], shown.unseen) == (["b", "c"], 0)
    assert dict(shown.items())["nightly", "b"] is kept
    assert ("nightly", "a") not in shown


@pytest.mark.requirement("S10")
def test_a_cycle_runs_each_source_as_it_is_when_its_turn_comes(target: Store) -> None:
    began, may_go_on = threading.Event(), threading.Event()

    def first_waits(run: Any) -> None:
        if run.source == "a":
            began.set()
            assert may_go_on.wait(PATIENCE)

    machinery = Machinery(target, pipeline(first_waits, "a", "b", "c", concurrency=1))
    nightly = machinery.catalog.pipeline("nightly")
    thread = in_thread(
        lambda: machinery.cycles.run(nightly, nightly.sources.values(), Trigger.MANUAL)
    )
    assert began.wait(PATIENCE)
    machinery.catalog.remove_source("nightly", "b")
    machinery.catalog.set_source("nightly", source("c", "3"))
    may_go_on.set()
    thread.join(PATIENCE)
    started = [event for event in target.events() if isinstance(event, RunStarted)]
    assert [(event.source, event.source_version) for event in started] == [("a", ""), ("c", "3")]
    machinery.stop()


class Held:
    """A source whose credentials were refused."""

    def __init__(self, target: Store, function: Any = refused) -> None:
        self.machinery = Machinery(target, pipeline(function, "a", "b"))
        self.catalog, self.gate = self.machinery.catalog, self.machinery.gate
        self.retries = AutomaticRetries(
            RetryConfig(), self.catalog, self.gate, self.machinery.scheduler, target.clock
        )
        target.recorder.subscribe(self.retries.follow)

    def run(self) -> None:
        nightly = self.catalog.pipeline("nightly")
        self.machinery.cycles.run(nightly, [nightly.sources["a"]], Trigger.SCHEDULE)

    def reason(self) -> Reason | None:
        waiting = self.gate.waiting("nightly", self.catalog.source("nightly", "a"))
        return waiting.reason if waiting else None


def failed_runs_of_a() -> RunFilter:
    return RunFilter(source="a", status=RunStatus.FAILED)


def runs(target: Store) -> list[str]:
    return [event.source_version for event in target.events() if isinstance(event, RunStarted)]


@pytest.mark.requirement("F5", "S10")
def test_a_held_source_runs_at_once_when_it_changes(target: Store) -> None:
    held = Held(target)
    held.run()
    assert held.reason() is Reason.HELD
    held.catalog.set_source("nightly", source("a", "3"))
    wait_for(lambda: runs(target) == ["", "3"])
    wait_for(lambda: held.reason() is Reason.HELD)  # refused again
    held.catalog.set_source("nightly", source("a", "4", enabled=False))
    assert held.reason() is None
    held.machinery.stop()
    assert runs(target) == ["", "3"]


@pytest.mark.requirement("F5", "S10")
def test_a_person_lets_a_held_source_go_and_one_that_does_not_wait_is_left_alone(
    target: Store,
) -> None:
    held = Held(target)
    held.run()
    held.retries.go("nightly", "b")
    held.retries.go("nightly", "a")
    wait_for(lambda: len(target.runs.page(failed_runs_of_a(), 10).runs) == 2)
    held.machinery.stop()
    assert len(runs(target)) == 2


@pytest.mark.requirement("S10", "S9")
def test_nothing_starts_by_itself_while_the_pipeline_is_paused(target: Store) -> None:
    held = Held(target)
    held.run()
    held.machinery.scheduler.set_paused("nightly", True)
    held.catalog.set_source("nightly", source("a", "3"))
    assert held.reason() is None
    held.machinery.stop()
    assert runs(target) == [""]


@pytest.mark.requirement("S10")
def test_a_removed_source_is_neither_held_nor_tried_again_and_its_runs_stay(target: Store) -> None:
    began, may_go_on = threading.Event(), threading.Event()

    def fails_late(run: Any) -> None:
        began.set()
        assert may_go_on.wait(PATIENCE)
        raise ConnectionResetError(104, "Connection reset by peer")

    held = Held(target, fails_late)
    thread = in_thread(held.run)
    assert began.wait(PATIENCE)
    held.catalog.remove_source("nightly", "a")
    may_go_on.set()
    thread.join(PATIENCE)
    assert held.gate.failed("nightly", "a") is None
    assert len(target.runs.page(failed_runs_of_a(), 10).runs) == 1
    held.machinery.stop()


@pytest.mark.requirement("F5", "S10")
def test_credentials_refused_after_they_were_replaced_hold_nothing(target: Store) -> None:
    began, may_go_on = threading.Event(), threading.Event()

    def refuses_late(run: Any) -> None:
        began.set()
        assert may_go_on.wait(PATIENCE)
        refused(run)

    held = Held(target, refuses_late)
    thread = in_thread(held.run)
    assert began.wait(PATIENCE)
    changed = msgspec.structs.replace(held.catalog.source("nightly", "a"), version=lambda: "new")
    held.catalog.set_source("nightly", changed)
    may_go_on.set()
    thread.join(PATIENCE)
    assert held.reason() is None
    held.run()
    assert held.reason() is Reason.HELD
    held.machinery.stop()
