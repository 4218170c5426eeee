"""When the next automatic attempt is due."""

from __future__ import annotations

import math
from collections.abc import Callable

from daemon.taxonomy import Category, RetryStrategy

LINEAR_STEP = 60.0
LINEAR_ATTEMPTS = 5
EXPONENTIAL_FIRST, EXPONENTIAL_MOST = 60.0, 3600.0
JITTER_FIRST, JITTER_MOST = 5.0, 300.0

_BY_CATEGORY = {
    Category.RATE_LIMIT: RetryStrategy.EXPONENTIAL,
    Category.CONNECTION: RetryStrategy.EXPONENTIAL_JITTER,
    Category.RESOURCE: RetryStrategy.EXPONENTIAL,
}


def default_strategy(category: Category, *, retryable: bool) -> RetryStrategy:
    """How a failure of this category is retried unless its rule says otherwise."""
    if not retryable or category is Category.AUTHENTICATION:
        return RetryStrategy.NONE
    return _BY_CATEGORY.get(category, RetryStrategy.LINEAR)


def delay(
    strategy: RetryStrategy,
    attempt: int,
    category: Category,
    retry_after: float | None,
    jitter: Callable[[], float],
) -> float | None:
    """Seconds from a failed attempt to the next automatic one; None when there is to be none.

    `attempt` counts failed attempts from 1. `retry_after` is what the server asked for, in seconds,
    and wins over the strategy's own waiting time. `jitter` returns a number from 0 to 1, such as
    `random.random`. A wrong password is never tried again by itself: that locks accounts.
    """
    if strategy is RetryStrategy.NONE or category is Category.AUTHENTICATION:
        return None
    attempt = max(1, attempt)
    if strategy is RetryStrategy.LINEAR and attempt > LINEAR_ATTEMPTS:
        return None
    if retry_after is not None and math.isfinite(retry_after) and retry_after >= 0:
        return retry_after
    if strategy is RetryStrategy.LINEAR:
        return LINEAR_STEP * attempt
    if strategy is RetryStrategy.EXPONENTIAL:
        return _doubled(EXPONENTIAL_FIRST, attempt, EXPONENTIAL_MOST)
    full = _doubled(JITTER_FIRST, attempt, JITTER_MOST)
    return max(JITTER_FIRST, full * (1 + jitter()) / 2)


def _doubled(first: float, attempt: int, most: float) -> float:
    return min(most, first * 2.0 ** min(attempt - 1, 32))
