"""What a run's failures come to, kept small however many there are."""

from __future__ import annotations

from daemon.store.entries import RunError, RunSummary
from daemon.triage.assessment import Assessment

_EXAMPLES = 3
_SHOWN = 5
_GROUPS = 1000


class _Cause:
    """One failure group within a run."""

    def __init__(self, assessment: Assessment) -> None:
        self.assessment = assessment
        self.count = 0
        self.examples: list[str] = []

    def add(self, item: str | None) -> None:
        self.count += 1
        if item is not None and len(self.examples) < _EXAMPLES and item not in self.examples:
            self.examples.append(item)

    def result(self) -> RunError:
        return RunError(
            failure_group=self.assessment.failure_group,
            category=self.assessment.category,
            message=self.assessment.user_message,
            count=self.count,
            examples=tuple(self.examples),
        )


class Summary:
    """Gathers the failures of one run."""

    def __init__(self) -> None:
        self._causes: dict[str, _Cause] = {}
        self._retryable = 0
        self._of_run: Assessment | None = None

    def add(self, assessment: Assessment, item: str | None, *, whole_run: bool) -> None:
        """Counts a failure; beyond a thousand groups only in the numbers."""
        self._retryable += assessment.retryable
        if whole_run:
            self._of_run = assessment
        cause = self._causes.get(assessment.failure_group)
        if cause is None and len(self._causes) < _GROUPS:
            cause = self._causes[assessment.failure_group] = _Cause(assessment)
        if cause is not None:
            cause.add(item)

    def result(self, earlier_failures: int = 0) -> RunSummary:
        """The summary; its category and advice are those of the run's own failure, or the top one.

        Of a run that only left failures of earlier runs open it says so.
        """
        if earlier_failures and not self._causes:
            return _left_open(earlier_failures)
        causes = sorted(self._causes.values(), key=lambda cause: cause.count, reverse=True)
        top = self._of_run or (causes[0].assessment if causes else None)
        return RunSummary(
            retryable=self._retryable,
            category=top.category if top else None,
            error_message=top.message if top else None,
            user_message=top.user_message if top else None,
            suggested_action=top.suggested_action if top else None,
            top_errors=tuple(cause.result() for cause in causes[:_SHOWN]),
        )


def _left_open(failures: int) -> RunSummary:
    number = (
        "1 failure of an earlier run is"
        if failures == 1
        else (f"{failures:,} failures of earlier runs are")
    )
    return RunSummary(
        retryable=0,
        category=None,
        error_message=f"{number} still open.",
        user_message=f"{number} still open: what is known to be broken was skipped.",
        suggested_action="Look at the open failures of the source. Correct what they name and it is tried again, "
        "or ignore them.",
        top_errors=(),
    )
