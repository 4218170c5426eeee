"""What a retry by hand means for a pipeline: which items can be run again, and what its run is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from daemon.events import AnyEvent
from daemon.taxonomy import RetryReason


class Chosen(msgspec.Struct, frozen=True):
    """An item of a source that a person asked to be retried."""

    failure_id: int
    key: int
    """What `daemon.item_key` makes of its name."""
    name: str | None
    """As its pipeline knows it; None where the store has it masked, and for the run itself."""
    is_run: bool
    """Whether it is no item, but the run itself."""


class RetryPlan(msgspec.Struct, frozen=True):
    """How the items that were chosen of a source are retried."""

    wanted: frozenset[str] | None
    """Names of the items that the run is told; None for all that there are."""
    refused: Mapping[int, RetryReason] = {}
    """Why some of them cannot be retried, by the id of the failure."""
    marks: tuple[AnyEvent, ...] = ()
    """What is recorded before the run begins."""


PlanRetry = Callable[[str, Sequence[Chosen]], RetryPlan]
"""Plans the retry of items of the source of that name, at least one. Called in the thread of the retries."""


def names_or_all(names: Sequence[str | None]) -> frozenset[str] | None:
    """The names; None, which is all, when one of them is not known or is the run itself."""
    known = [name for name in names if name is not None]
    return frozenset(known) if len(known) == len(names) else None


def plan_by_name(_source: str, chosen: Sequence[Chosen]) -> RetryPlan:
    """The run is told the names, or to do everything when one is not known."""
    return RetryPlan(names_or_all([item.name for item in chosen]))
