"""What triage says of an error: the only thing that the rest of triaged sees of it."""

from __future__ import annotations

import msgspec

from daemon.taxonomy import CATEGORIES, Category, Group, RetryStrategy
from daemon.triage.grouping import FINGERPRINT_VERSION
from daemon.triage.retry import Retry, reason


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """An error understood: masked, classified, grouped, with advice."""

    category: Category
    retry: Retry
    strategy: RetryStrategy
    retry_after: float | None = None
    """Seconds to wait before another attempt, as the other side asked."""
    rule: str
    """Name of the rule that matched, ``unmatched`` when none did."""
    user_message: str
    """One or two sentences for the person on call."""
    suggested_action: str
    message: str
    """Masked and at most 2 KB of UTF-8."""
    full_text: str | None
    """Masked text with traceback for the run's log, when it says more than `message`; else None."""
    exception_type: str | None
    failure_group: str
    """16 hex digits: same pipeline, step, category, rule and normalised message."""
    fingerprint_version: int = FINGERPRINT_VERSION
    """Of the algorithm that made the group."""
    normalised_message: str
    """The message with numbers, names and ids replaced, as the group shows it."""

    @property
    def retryable(self) -> bool:
        """Whether it is known that another attempt may help."""
        return self.retry is Retry.YES

    @property
    def retry_reason(self) -> str:
        """Why it is retried, or why not, in words."""
        return reason(self.category, self.retry)

    @property
    def group(self) -> Group:
        return CATEGORIES[self.category].group
