"""A group stands as the occurrence times imply, in whatever order anything is recorded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import events
from daemon.store.entries import Entry
from daemon.store.filters import FailureFilter
from daemon.store.group_state import GroupFacts, state_of
from daemon.store.groups import Groups
from daemon.store.records import DecisionRecord
from daemon.taxonomy import FileStatus, GroupDecision, GroupState
from tests.unit.spine_support import START, Store, assessed, failed, marked, store, succeeded

HOURS = 40
"""Everything happens within so many hours from `START`; then the state is looked at."""
NUMBERS = itertools.count()


class Life(NamedTuple):
    """A failure, from the hour in which it occurred till it was dealt with, if it was."""

    begins: int
    ends: int | None
    by_success: bool


class Decided(NamedTuple):
    """A decision as of an hour."""

    hour: int
    decision: GroupDecision
    until: int | None


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Life], list[Decided]]:
    """Failures and decisions, no two of whose hours are the same."""
    hours = iter(draw(st.permutations(range(HOURS))))
    lives = []
    for ends in draw(st.lists(st.booleans(), min_size=1, max_size=6)):
        first, second = sorted((next(hours), next(hours)))
        lives.append(Life(first, second if ends else None, draw(st.booleans())))
    decisions = []
    for decision in draw(st.lists(st.sampled_from(GroupDecision), max_size=3)):
        first, second = sorted((next(hours), next(hours)))
        ends = decision is GroupDecision.IGNORED and draw(st.booleans())
        decisions.append(Decided(first, decision, second if ends else None))
    return lives, decisions


class Watcher:
    """Somebody who was there all the time, and says how the group stands."""

    def __init__(self) -> None:
        self.failed = False
        """Whether anything has failed so far."""
        self.lasting: set[Life] = set()
        self.excused: set[Life] = set()
        """What lasted when the group was resolved: it does not count any more."""
        self.state = GroupState.OPEN
        self.ignored = False
        self.ignored_until: int | None = None

    def begins(self, life: Life) -> None:
        if self.state is GroupState.RESOLVED:
            self.state = GroupState.REGRESSED
        self.failed = True
        self.lasting.add(life)

    def ends(self, life: Life) -> None:
        self.lasting.discard(life)
        if not self.lasting - self.excused:
            self.state = GroupState.RESOLVED

    def decides(self, decided: Decided) -> None:
        self.ignored = decided.decision is GroupDecision.IGNORED
        self.ignored_until = decided.until
        if decided.decision is GroupDecision.RESOLVED:
            self.excused, self.state = set(self.lasting), GroupState.RESOLVED
        else:
            self.begins_anew()

    def begins_anew(self) -> None:
        """From now on only what lasts counts, as if nobody had decided anything."""
        self.excused = set()
        settled = self.failed and not self.lasting
        self.state = GroupState.RESOLVED if settled else GroupState.OPEN

    def hour(self, hour: int, lives: Sequence[Life], decisions: Sequence[Decided]) -> None:
        """One hour passes, in which one thing happens at most."""
        if self.ignored and self.ignored_until == hour:
            self.ignored = False
            self.begins_anew()
        for life in lives:
            if life.ends == hour:
                self.ends(life)
            if life.begins == hour:
                self.begins(life)
        for decided in decisions:
            if decided.hour == hour:
                self.decides(decided)

    def says(self) -> GroupState:
        if self.ignored:
            return GroupState.IGNORED
        return self.state if self.lasting else GroupState.RESOLVED


def told_in_order(lives: Sequence[Life], decisions: Sequence[Decided]) -> GroupState:
    """The state as the watcher tells it in the end."""
    watcher = Watcher()
    for hour in range(HOURS + 1):
        watcher.hour(hour, lives, decisions)
    return watcher.says()


def entries_of(group: str, lives: list[Life], decisions: list[Decided]) -> list[list[Entry]]:
    """What is recorded, as strands: only within one the order is fixed."""
    strands = []
    for number, life in enumerate(lives):
        item = f"{group}-{number}"
        strand = [failed(f"run-{item}", item, at(life.begins), assessment=assessed(group=group))]
        if life.ends is not None and life.by_success:
            strand.append(succeeded(f"later-{item}", item, at(life.ends)))
        elif life.ends is not None:
            strand.append(marked(FileStatus.QUARANTINED, item, at=at(life.ends)))
        strands.append(strand)
    return strands + [[Entry(decision_event(group, decided))] for decided in decisions]


def decision_event(group: str, decided: Decided) -> events.GroupDecided:
    return events.GroupDecided(
        at=at(decided.hour),
        failure_group=group,
        decision=decided.decision,
        as_of=at(decided.hour),
        until=None if decided.until is None else at(decided.until),
    )


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with store(tmp_path_factory.mktemp("states")) as one:
        yield one


@settings(max_examples=60, deadline=None)
@given(history=histories(), data=st.data())
def test_any_order_of_arrival_gives_the_state_that_the_occurrence_times_imply(
    opened: Store, history: tuple[list[Life], list[Decided]], data: st.DataObject
) -> None:
    group = f"{next(NUMBERS):016d}"
    strands = entries_of(group, *history)
    order = data.draw(st.permutations([n for n, s in enumerate(strands) for _ in s]))
    iterators = [iter(strand) for strand in strands]
    opened.put(*(next(iterators[n]) for n in order))
    groups = Groups(opened.database.read())
    expected = told_in_order(*history)
    assert groups.states([group], at(HOURS))[group] is expected
    assert groups.get(group, at(HOURS)).state is expected
    same, _ = opened.failures.groups(
        FailureFilter(failure_group=group), 10, now=at(HOURS), state=GroupState(expected)
    )
    assert [found.record.failure_group for found in same] == [group]


def decision(kind: GroupDecision, until: int | None = None) -> DecisionRecord:
    ends = None if until is None else at(until)
    return DecisionRecord("g", kind, at(10), ends, None, None, at(10))


@pytest.mark.parametrize(
    ("kind", "until", "newest", "now", "expected"),
    [
        (GroupDecision.RESOLVED, None, 9, 20, GroupState.RESOLVED),
        (GroupDecision.RESOLVED, None, 10, 20, GroupState.RESOLVED),
        (GroupDecision.RESOLVED, None, 11, 20, GroupState.REGRESSED),
        (GroupDecision.IGNORED, None, 11, 20, GroupState.IGNORED),
        (GroupDecision.IGNORED, 21, 11, 20, GroupState.IGNORED),
        (GroupDecision.IGNORED, 20, 11, 20, GroupState.OPEN),
        (GroupDecision.REOPENED, None, 11, 20, GroupState.OPEN),
    ],
)
def test_a_decision_holds_for_what_occurred_up_to_its_moment(
    kind: GroupDecision, until: int | None, newest: int, now: int, expected: GroupState
) -> None:
    facts = GroupFacts(pending=1, newest_pending=at(newest), newest_return=None)
    assert state_of(decision(kind, until), facts, at(now)) is expected
