"""What a pipeline sees: its `Run` handle. What a pipeline is: a function that takes one.

A pipeline is called in a worker thread with one source to process. It reports through the handle
and raises for an error of the whole run. It never classifies, stores or schedules anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from daemon.events import Facts
from daemon.taxonomy import RunState


class RunHandle(Protocol):
    """One attempt to process one source."""

    @property
    def run_id(self) -> str: ...

    @property
    def source(self) -> str:
        """Name of the source to process."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """Options of the source from the configuration (own pipelines)."""
        ...

    @property
    def wanted(self) -> frozenset[str] | None:
        """The items that a person asked to be retried; None when it is all of them.

        Going by it spares work: a pipeline may process other items as well, or look at all.
        """
        ...

    @property
    def known(self) -> bytes:
        """What was done before, packed by the pipeline's own ledger; empty for own pipelines."""
        ...

    @property
    def cancelled(self) -> bool:
        """True once the run should stop: look at it between items and return."""
        ...

    def step(self, state: RunState | str, text: str = "") -> None:
        """Enters a phase, such as ``fetching``, and says what is being done in words."""
        ...

    def progress(self, current: int, total: int | None = None) -> None:
        """Says how far the run is, in items or any other unit. Cheap: call it as often as you like."""
        ...

    def succeed(self, item: str, *, facts: Facts | None = None) -> None:
        """Counts an item as processed and resolves its open failures.

        `facts` are what a pipeline with a ledger of its own says of the item.
        """
        ...

    def fail(
        self,
        item: str | None,
        error: BaseException | str,
        *,
        in_part: bool = False,
        row_count: int | None = None,
        sample_rows: tuple[int, ...] = (),
        column: str | None = None,
        facts: Facts | None = None,
        **fields: Any,
    ) -> None:
        """Records that an item failed, and why.

        `fields` are the structured fields of `ErrorInfo` (http_status, sqlstate, errno, error_class,
        imap_code, retry_after) where the exception does not carry them itself. Consecutive calls for
        the same item add causes; the item counts once.
        """
        ...

    def skip(self, item: str | None = None, *, count: int = 1, gone: bool = False) -> None:
        """Counts items that need nothing; one that is `gone` for good needs nothing any more, and is resolved."""
        ...

    def note(self, facts: Facts) -> None:
        """Tells a ledger of the pipeline's own what concerns no item."""
        ...


Pipeline = Callable[[RunHandle], None]
