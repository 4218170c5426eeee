"""An attempt to change something, on its way through the daemon to its entry in the audit trail.

The entry goes to the store ahead of the decision that it is about, in the same queue, so who waits
for the decision has waited for both. What decides nothing that is stored, or is refused, gets its
entry when it is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime

from daemon.events import Audited
from daemon.recorder import Recorder
from daemon.taxonomy import AuditOutcome

current: ContextVar[Attempt | None] = ContextVar("attempt", default=None)
"""The attempt that the calling thread works on."""


class Attempt:
    """One request. It gets one entry, whatever it comes to."""

    def __init__(
        self,
        at: datetime,
        action: str,
        subject: Callable[[], str | None],
        who: Callable[[], str],
        details: Callable[[], str | None],
    ) -> None:
        """`subject`, `who` and `details` are asked for when the entry is made: they are not known before."""
        self._at = at
        self._action = action
        self._subject = subject
        self._who = who
        self._details = details
        self.recorded = False
        """Whether the entry is on its way to the store."""

    def record(self, recorder: Recorder, refused: str | None = None) -> int:
        """Queues the entry, with why it was `refused` if it was; returns its position."""
        self.recorded = True
        return recorder.record(
            Audited(
                at=self._at,
                by=self._who(),
                action=self._action,
                subject=self._subject(),
                outcome=AuditOutcome.DONE if refused is None else AuditOutcome.REFUSED,
                reason=refused,
                details=self._details(),
            )
        )


def record_current(recorder: Recorder) -> None:
    """Queues the entry of what the calling thread works on, when there is one without an entry."""
    attempt = current.get()
    if attempt is not None and not attempt.recorded:
        attempt.record(recorder)
