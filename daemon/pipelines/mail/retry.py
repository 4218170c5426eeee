"""What a retry by hand means for mail messages."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.pipelines.retry_plan import Chosen, RetryPlan


def plan_messages(_source: str, chosen: Sequence[Chosen]) -> RetryPlan:
    """The run is told the names of messages as far as they are known; everything, if none is.

    A message of a mailbox that the account stood for before has no name: it must not keep others from being
    retried.
    """
    if any(item.is_run for item in chosen):
        return RetryPlan(None)
    return RetryPlan(frozenset(item.name for item in chosen if item.name) or None)
