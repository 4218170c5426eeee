"""How a person's decision is stored. One place for all operations.

No operation writes to the store: decisions become events, and the recorder stores them.
"""

from __future__ import annotations

from daemon.audit.attempt import record_current
from daemon.errors import StoreUnavailable
from daemon.events import AnyEvent
from daemon.recorder import Recorder

STORE_SECONDS = 10.0
"""How long a person waits for a decision to be stored before being told that it was not."""


def store_decision(recorder: Recorder, event: AnyEvent, seconds: float | None = None) -> None:
    """Waits till a person's decision, and who took it, are on disk.

    Raises `StoreUnavailable` when that takes longer than `seconds`, or `STORE_SECONDS`.
    """
    record_current(recorder)
    recorder.record(event)
    wait_stored(recorder, seconds)


def wait_stored(recorder: Recorder, seconds: float | None = None) -> None:
    """Waits till what was recorded for a person is on disk. Raises `StoreUnavailable` as above."""
    record_current(recorder)
    if not recorder.flush(STORE_SECONDS if seconds is None else seconds):
        raise StoreUnavailable(
            "the decision could not be stored yet, because the store cannot be written; "
            "it takes effect when the store can be written again"
        )
