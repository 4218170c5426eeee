"""What a run's failures come to: exact in its numbers, small whatever happens."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.summary import Summary
from daemon.taxonomy import Category
from tests.unit.spine_support import assessed

GROUPS = [f"{n:016d}" for n in range(8)]


def test_a_run_without_failures_has_nothing_to_say() -> None:
    result = Summary().result()
    assert (result.retryable, result.category, result.user_message) == (0, None, None)
    assert result.top_errors == ()


@pytest.mark.requirement("I5")
@given(
    failures=st.lists(st.tuples(st.sampled_from(GROUPS), st.sampled_from("abcdef")), max_size=60)
)
def test_the_top_errors_are_the_most_frequent_with_up_to_three_examples(
    failures: list[tuple[str, str]],
) -> None:
    summary = Summary()
    for group, item in failures:
        summary.add(assessed(group=group), item, whole_run=False)
    counts = Counter(group for group, _ in failures)
    top = summary.result().top_errors
    assert [error.count for error in top] == sorted(counts.values(), reverse=True)[:5]
    for error in top:
        assert error.count == counts[error.failure_group]
        items = list(
            dict.fromkeys(item for group, item in failures if group == error.failure_group)
        )
        assert list(error.examples) == items[:3]


@given(helps=st.lists(st.booleans(), max_size=30))
def test_it_counts_what_a_retry_may_help(helps: list[bool]) -> None:
    summary = Summary()
    for retryable in helps:
        summary.add(assessed(retryable=retryable), "a", whole_run=False)
    assert summary.result().retryable == sum(helps)


def test_the_failure_of_the_run_itself_is_what_the_run_came_to() -> None:
    summary = Summary()
    for n in range(10):
        summary.add(assessed(category=Category.CONNECTION), f"{n}", whole_run=False)
    summary.add(assessed("no key", category=Category.AUTHENTICATION), None, whole_run=True)
    result = summary.result()
    assert result.category == Category.AUTHENTICATION
    assert result.error_message == "no key"
    assert result.top_errors[0].category == Category.CONNECTION


def test_it_stays_small_however_many_causes_there_are() -> None:
    summary = Summary()
    for n in range(5_000):
        summary.add(assessed(group=f"{n:016d}", retryable=True), f"{n}", whole_run=False)
    assert len(summary._causes) == 1_000
    assert summary.result().retryable == 5_000
