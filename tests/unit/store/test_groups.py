"""Merges and splits stick, and every count, filter, trend and export agrees with them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.clock import FakeClock
from daemon.errors import Conflict, NotFound
from daemon.operations.groups import GroupOperations
from daemon.store import upkeep
from daemon.store.export import failures_csv
from daemon.store.filters import FailureFilter
from daemon.store.groups import Groups
from daemon.taxonomy import GroupDecision, GroupState
from tests.unit.spine_support import (
    LEDGERS,
    START,
    TRIAGE,
    Store,
    assert_counts_agree,
    assessed,
    failed,
    store,
    succeeded,
)

FINGERPRINTS = tuple(f"fingerprint-{n:04d}" for n in range(4))
TEXTS = ("alpha", "beta")
SOURCES = ("orders", "events")


class Model:
    """Which failure is shown in which group, told without a database."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, str]] = []
        """Stored group and message."""
        self.splits: list[tuple[set[str], str, str]] = []
        self.parent: dict[str, str] = {}

    def root(self, group: str) -> str:
        while group in self.parent:
            group = self.parent[group]
        return group

    def fail(self, group: str, message: str) -> None:
        for members, text, new in self.splits:
            if group in members and text in message:
                group = new
        self.failures.append((group, message))

    def shown(self) -> Counter[str]:
        return Counter(self.root(group) for group, _ in self.failures)

    def members(self, group: str) -> set[str]:
        everything = {*FINGERPRINTS, *(new for _, _, new in self.splits)}
        return {one for one in everything if self.root(one) == self.root(group)}

    def split(self, members: set[str], text: str, new: str) -> None:
        self.splits.append((members, text, new))
        self.failures = [
            (new if group in members and text in message else group, message)
            for group, message in self.failures
        ]

    def unmerge(self, group: str) -> None:
        if group in self.parent:
            del self.parent[group]
        else:
            self.parent = {one: into for one, into in self.parent.items() if into != group}


@contextmanager
def operated(folder: Path) -> Iterator[tuple[Store, GroupOperations]]:
    with store(folder, FakeClock(START)) as opened:
        opened.put()
        yield (
            opened,
            GroupOperations(opened.database, opened.recorder, TRIAGE.mask, opened.clock),
        )


def fail(target: Store, fingerprint: str, message: str = "it broke", **more: Any) -> None:
    number = target.writer._put
    hour = target.clock.now()
    assessment = assessed(message, group=fingerprint, retryable=more.pop("retryable", None))
    target.put(failed(f"run-{number}", f"item-{number}", hour, assessment=assessment, **more))


def assert_everything_agrees(target: Store, expected: Counter[str]) -> None:
    """Groups, filters, records, trends and the export all show the same."""
    now = target.clock.now()
    failures = target.failures
    assert_counts_agree(target.database, target.writer.standing)
    groups, number = failures.groups(FailureFilter(), 100, now=now)
    assert {group.record.failure_group: group.record.count for group in groups} == expected
    assert number == len(expected)
    records = failures.page(FailureFilter(), 1_000).failures
    assert Counter(record.failure_group for record in records) == expected
    exported = b"".join(failures_csv(target.database, FailureFilter())).decode()
    rows = csv.DictReader(io.StringIO(exported))
    assert Counter(row["failure_group"] for row in rows) == expected
    assert failures.counts(FailureFilter(), "failure_group") == expected
    for step in (timedelta(hours=1), timedelta(days=1)):
        points = failures.trends(FailureFilter(), "failure_group", step)
        summed: Counter[str] = Counter()
        for point in points:
            summed[point.key] += point.count
        assert summed == expected
    for group in groups:
        f = FailureFilter(failure_group=group.record.failure_group)
        its = failures.page(f, 1_000).failures
        assert failures.total(f) == len(its) == group.record.count
        assert group.record.first_seen == min(one.error_time for one in its)
        assert group.record.last_seen == max(one.error_time for one in its)


actions = st.lists(
    st.one_of(
        st.tuples(
            st.just("fail"),
            st.sampled_from(FINGERPRINTS),
            st.sampled_from(("it broke", *TEXTS, " and ".join(TEXTS))),
        ),
        st.tuples(st.just("merge"), st.integers(0, 7), st.integers(0, 7)),
        st.tuples(st.just("unmerge"), st.integers(0, 7)),
        st.tuples(st.just("split"), st.integers(0, 7), st.sampled_from(TEXTS)),
        st.tuples(st.just("split_like"), st.integers(0, 30)),
    ),
    min_size=4,
    max_size=14,
)


def carry_out(
    action: Any, target: Store, operations: GroupOperations, model: Model, shown: list[str]
) -> None:
    """Does the same to the store and to the model; what is refused changes neither."""
    match action:
        case ("merge", one, other):
            one, other = shown[one % len(shown)], shown[other % len(shown)]
            into = operations.merge([one], other, None)
            model.parent[model.root(one)] = into
        case ("unmerge", one):
            known = sorted({group for group, _ in model.failures})
            group = known[one % len(known)]
            operations.unmerge(group, None)
            model.unmerge(group)
        case ("split", one, text):
            group = shown[one % len(shown)]
            members = model.members(group)
            model.split(members, text, operations.split_by_text(group, text, None))
        case ("split_like", one):
            number = one % len(model.failures)
            own, _ = model.failures[number]
            new = operations.split_by_failures(own, [number + 1], None)
            model.split({own}, "", new)


@settings(max_examples=20, deadline=None)
@given(actions=actions)
def test_whatever_is_merged_and_split_all_ways_to_look_at_it_agree(
    tmp_path_factory: pytest.TempPathFactory, actions: list[Any]
) -> None:
    model = Model()
    with operated(tmp_path_factory.mktemp("groups")) as (target, operations):
        for fingerprint in FINGERPRINTS:
            fail(target, fingerprint)
            model.fail(fingerprint, "it broke")
        for action in actions:
            target.clock.advance(3 * 3600)
            if action[0] == "fail":
                fail(target, action[1], action[2])
                model.fail(action[1], action[2])
                continue
            try:
                carry_out(action, target, operations, model, sorted(model.shown()))
            except Conflict:
                continue
        assert_everything_agrees(target, model.shown())


def test_later_failures_follow_a_merge_and_a_split_after_a_restart(tmp_path: Path) -> None:
    one, other, *_ = FINGERPRINTS
    with operated(tmp_path) as (target, operations):
        fail(target, one, "alpha is missing")
        fail(target, one, "beta is missing")
        fail(target, other)
        new = operations.split_by_text(one, "beta", None)
        operations.merge([other], one, None)
    with operated(tmp_path) as (target, operations):
        fail(target, one, "beta is missing again")
        fail(target, other)
        fail(target, one, "alpha is missing again")
        assert_everything_agrees(target, Counter({one: 4, new: 2}))
        split_off = Groups(target.database.read()).get(new, START).split
        assert split_off is not None
        assert (split_off.split_from, split_off.text) == (one, "beta")
        assert Groups(target.database.read()).get(other, START).merged == [other]


def test_a_merge_is_undone_as_it_was_made(tmp_path: Path) -> None:
    a, b, c, _ = FINGERPRINTS
    with operated(tmp_path) as (target, operations):
        for fingerprint in (a, b, c):
            fail(target, fingerprint)
        operations.merge([b], a, None)
        operations.merge([a], c, None)
        assert_everything_agrees(target, Counter({c: 3}))
        assert operations.unmerge(c, None) == [a]
        assert_everything_agrees(target, Counter({a: 2, c: 1}))
        operations.merge([a], c, None)
        assert operations.unmerge(b, None) == [b]
        assert_everything_agrees(target, Counter({b: 1, c: 2}))


def test_a_split_is_undone_by_merging_it_back(tmp_path: Path) -> None:
    one = FINGERPRINTS[0]
    with operated(tmp_path) as (target, operations):
        fail(target, one, "alpha")
        fail(target, one, "beta")
        new = operations.split_by_text(one, "beta", None)
        operations.merge([new], one, None)
        fail(target, one, "beta again")
        assert_everything_agrees(target, Counter({one: 3}))


def test_what_cannot_be_merged_unmerged_or_split_is_refused_and_changes_nothing(
    tmp_path: Path,
) -> None:
    one, other, *_ = FINGERPRINTS
    with operated(tmp_path) as (target, operations):
        fail(target, one, "alpha")
        fail(target, other, "alpha")
        for refused in (
            lambda: operations.merge([one], one, None),
            lambda: operations.unmerge(one, None),
            lambda: operations.split_by_text(one, "no such text", None),
            lambda: operations.split_by_text(one, "alpha", None),
            lambda: operations.split_by_failures(one, [1], None),
        ):
            with pytest.raises(Conflict):
                refused()
        for unknown in (
            lambda: operations.merge(["nothing"], one, None),
            lambda: operations.merge([one], "nothing", None),
            lambda: operations.unmerge("nothing", None),
            lambda: operations.split_by_text("nothing", "alpha", None),
            lambda: operations.split_by_failures(one, [2], None),
            lambda: operations.decide("nothing", GroupDecision.RESOLVED, None),
        ):
            with pytest.raises(NotFound):
                unknown()
        assert_everything_agrees(target, Counter({one: 1, other: 1}))


def test_a_decision_about_an_earlier_moment_than_the_last_is_refused(tmp_path: Path) -> None:
    one = FINGERPRINTS[0]
    with operated(tmp_path) as (target, operations):
        fail(target, one)
        target.clock.advance(3600)
        operations.decide(one, GroupDecision.RESOLVED, "on-call", note="mail to joe@example.com")
        with pytest.raises(Conflict, match="later"):
            operations.decide(one, GroupDecision.IGNORED, None, as_of=START)
        group = Groups(target.database.read()).get(one, target.clock.now())
        assert group.state is GroupState.RESOLVED
        assert group.decision is not None
        assert group.decision.decided_by == "on-call"
        assert group.decision.note == "mail to [email]"


def test_merged_groups_stand_as_one_and_by_themselves_again_once_unmerged(tmp_path: Path) -> None:
    one, other, *_ = FINGERPRINTS
    with operated(tmp_path) as (target, operations):
        fail(target, one)
        target.clock.advance(60)
        operations.decide(one, GroupDecision.RESOLVED, None)
        target.clock.advance(60)
        fail(target, other)
        operations.merge([other], one, None)
        states = Groups(target.database.read())
        now = target.clock.now()
        assert states.get(other, now).state is GroupState.REGRESSED
        operations.unmerge(other, None)
        assert states.get(one, now).state is GroupState.RESOLVED
        assert states.get(other, now).state is GroupState.OPEN


def test_the_states_that_are_asked_for_are_paged(tmp_path: Path) -> None:
    with operated(tmp_path) as (target, operations):
        for fingerprint in FINGERPRINTS:
            fail(target, fingerprint)
        target.clock.advance(60)
        operations.decide(FINGERPRINTS[1], GroupDecision.IGNORED, None)
        pages = [
            target.failures.groups(
                FailureFilter(), 2, offset, now=target.clock.now(), state=GroupState.OPEN
            )
            for offset in (0, 2)
        ]
        assert [total for _, total in pages] == [3, 3]
        found = [group.record.failure_group for page, _ in pages for group in page]
        assert sorted(found) == [FINGERPRINTS[n] for n in (0, 2, 3)]


def test_the_sources_of_a_group_are_all_there_a_page_at_a_time(tmp_path: Path) -> None:
    one = FINGERPRINTS[0]
    with operated(tmp_path) as (target, _):
        for source in ("orders", "orders", "events", "stock"):
            fail(target, one, source=source)
        number = target.writer._put
        target.put(succeeded("later", f"item-{number - 1}", source="stock"))
        groups = Groups(target.database.read())
        first, total = groups.sources(one, 2)
        rest, _ = groups.sources(one, 2, 2)
        assert total == 3
        assert [(s.source, s.count, s.pending) for s in first + rest] == [
            ("orders", 2, 2),
            ("events", 1, 1),
            ("stock", 1, 0),
        ]


def test_what_people_decided_outlives_the_failures_it_was_about(tmp_path: Path) -> None:
    one, other, *_ = FINGERPRINTS
    with operated(tmp_path) as (target, operations):
        fail(target, one, "alpha")
        fail(target, one, "beta")
        fail(target, other)
        new = operations.split_by_text(one, "beta", None)
        operations.merge([other], one, None)
        for record in target.failures.page(FailureFilter(), 10).failures:
            target.put(succeeded("run-mended", record.item or "", target.clock.now()))
        target.clock.advance(40 * 86400)
        target.writer.do(
            lambda connection: upkeep.expire(
                connection, LEDGERS, target.clock.now(), timedelta(days=30)
            )
        )
        fail(target, other)
        fail(target, one, "beta")
        assert_everything_agrees(target, Counter({one: 1, new: 1}))
