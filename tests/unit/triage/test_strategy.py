"""Waiting times: the numbers of F5."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.taxonomy import Category, RetryStrategy
from daemon.triage.strategy import delay


def half() -> float:
    """A jitter that stands still."""
    return 0.5


def delays(strategy: RetryStrategy, category: Category, attempts: int) -> list[float | None]:
    return [delay(strategy, n, category, None, lambda: 1.0) for n in range(1, attempts + 1)]


@pytest.mark.requirement("F5")
def test_rate_limits_wait_a_minute_and_double_to_an_hour() -> None:
    found = delays(RetryStrategy.EXPONENTIAL, Category.RATE_LIMIT, 8)
    assert found == [60, 120, 240, 480, 960, 1920, 3600, 3600]


@pytest.mark.requirement("F5")
def test_connections_wait_from_five_seconds_to_five_minutes() -> None:
    found = delays(RetryStrategy.EXPONENTIAL_JITTER, Category.CONNECTION, 8)
    assert found == [5, 10, 20, 40, 80, 160, 300, 300]


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_jitter_stays_between_five_seconds_and_five_minutes(attempt: int, jitter: float) -> None:
    found = delay(
        RetryStrategy.EXPONENTIAL_JITTER, attempt, Category.CONNECTION, None, lambda: jitter
    )
    assert found is not None
    assert 5 <= found <= 300


@pytest.mark.requirement("F5")
def test_unavailable_services_get_five_attempts_a_minute_further_apart_each() -> None:
    found = delays(RetryStrategy.LINEAR, Category.SERVICE_UNAVAILABLE, 6)
    assert found == [60, 120, 180, 240, 300, None]


@pytest.mark.requirement("F5")
@pytest.mark.parametrize("strategy", list(RetryStrategy))
def test_authentication_is_never_retried_by_itself(strategy: RetryStrategy) -> None:
    assert delay(strategy, 1, Category.AUTHENTICATION, 1.0, half) is None


@pytest.mark.requirement("F5")
def test_the_servers_own_wish_wins() -> None:
    assert delay(RetryStrategy.EXPONENTIAL, 1, Category.RATE_LIMIT, 7.0, half) == 7.0
    assert delay(RetryStrategy.LINEAR, 6, Category.SERVICE_UNAVAILABLE, 7.0, half) is None
    assert delay(RetryStrategy.NONE, 1, Category.REJECTED, 7.0, half) is None


@pytest.mark.parametrize("nonsense", [-1.0, float("nan"), float("inf")])
def test_a_wish_that_makes_no_sense_is_ignored(nonsense: float) -> None:
    assert delay(RetryStrategy.EXPONENTIAL, 1, Category.RATE_LIMIT, nonsense, half) == 60
