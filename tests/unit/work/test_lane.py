"""Whose turn comes next: by priority and age, each source once, no more than the limit at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from daemon.events import Work
from daemon.taxonomy import Priority, Trigger
from daemon.work.lane import HEAD_START, Lane, Task

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Asked:
    """A task of which only is seen when its turn comes."""

    def __init__(
        self,
        source: str,
        priority: Priority = Priority.PERSON,
        after: float = 0,
        *,
        is_suspect: bool = False,
    ) -> None:
        self.work = Work(
            cycle_id="cycle",
            pipeline="nightly",
            source=source,
            trigger=Trigger.MANUAL,
            priority=priority,
            asked_at=START + timedelta(seconds=after),
        )
        self.waits_for_source = priority is not Priority.CYCLE
        self.is_suspect = is_suspect

    def __repr__(self) -> str:
        return f"{self.work.priority}/{self.work.source}"

    def carry_out(self) -> None: ...
    def leave_out(self) -> None: ...
    def abandon(self) -> None: ...


def lane(limit: int, *tasks: Task) -> Lane:
    made = Lane(limit)
    for task in tasks:
        made.add(task)
    return made


def in_turn(made: Lane) -> list[str]:
    """What is claimed, one after the other."""
    order = []
    while (task := made.claim().task) is not None:
        order.append(repr(task))
        made.finish(task)
    return order


def test_a_person_comes_before_a_retry_and_a_retry_before_a_cycle() -> None:
    priorities = (Priority.CYCLE, Priority.RETRY, Priority.PERSON)
    made = lane(1, *(Asked("a", priority) for priority in priorities))
    assert in_turn(made) == ["person/a", "retry/a", "cycle/a"]


def test_of_the_same_priority_what_was_asked_for_first_comes_first() -> None:
    made = lane(1, Asked("b", after=1), Asked("a"), Asked("c", after=1), Asked("d", after=0.5))
    assert in_turn(made) == ["person/a", "person/d", "person/b", "person/c"]


def test_a_cycle_that_has_waited_long_enough_comes_before_a_person() -> None:
    late = HEAD_START[Priority.PERSON] - HEAD_START[Priority.CYCLE]
    made = lane(
        1, Asked("b", after=late + 1), Asked("a", Priority.CYCLE), Asked("c", after=late - 1)
    )
    assert in_turn(made) == ["person/c", "cycle/a", "person/b"]


def test_what_waits_for_a_source_that_runs_keeps_nobody_else_waiting() -> None:
    made = lane(2, Asked("a"), Asked("a"), Asked("b"))
    first, second = made.claim().task, made.claim().task
    assert (repr(first), repr(second)) == ("person/a", "person/b")
    assert made.claim().task is None
    assert first is not None
    made.finish(first)
    assert repr(made.claim().task) == "person/a"


def test_a_cycle_leaves_out_a_source_that_runs_when_its_turn_comes_and_no_sooner() -> None:
    made = lane(2, Asked("a"), Asked("a", Priority.CYCLE), Asked("b", Priority.CYCLE))
    assert made.claim().left_out == []
    claim = made.claim()
    assert (repr(claim.task), list(map(repr, claim.left_out))) == ("cycle/b", ["cycle/a"])
    made = lane(1, Asked("a"), Asked("a", Priority.CYCLE))
    assert made.claim().left_out == []
    assert made.claim() == (None, [])  # all turns are taken


asked = st.builds(
    Asked, st.sampled_from("abcd"), st.sampled_from(list(Priority)), st.integers(0, 100)
)


def test_a_suspect_waits_for_another_and_lets_others_pass() -> None:
    suspects = [Asked(name, is_suspect=True) for name in "ab"]
    made = lane(3, *suspects, Asked("c", after=1))
    claimed = [made.claim(suspects=not made.has_suspect).task for _ in range(3)]
    assert [repr(task) for task in claimed] == ["person/a", "person/c", "None"]
    made.finish(suspects[0])
    assert made.claim(suspects=not made.has_suspect).task is suspects[1]


@given(
    limit=st.integers(1, 3),
    steps=st.lists(st.one_of(asked, st.integers(0, 9)), max_size=40),
)
def test_whatever_is_asked_for_has_one_turn_or_is_left_out_once_and_nothing_is_lost(
    limit: int, steps: list[Asked | int]
) -> None:
    made, given_, seen = Lane(limit), [], []
    running: list[Task] = []

    def claim() -> None:
        while True:
            found = made.claim()
            seen.extend(found.left_out)
            assert all(not task.waits_for_source for task in found.left_out)
            if found.task is None:
                return
            seen.append(found.task)
            running.append(found.task)
            assert len(running) <= limit
            assert len({task.work.source for task in running}) == len(running)

    for step in [*steps, *range(len(steps))]:
        if isinstance(step, Asked):
            given_.append(step)
            made.add(step)
        elif running:
            made.finish(running.pop(step % len(running)))
        claim()
    while running:
        made.finish(running.pop())
        claim()
    assert made.waiting == []
    assert sorted(map(id, seen)) == sorted(map(id, given_))
