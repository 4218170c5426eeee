"""What changed between two looks, a line each: for logs and pipes, where no view can be redrawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from api.schemas.failures import FailureDetail
from api.schemas.runs import RunDetail
from api.schemas.status import CurrentRun
from daemon.cli.tables import outcome
from daemon.cli.terminal import local, printable, seconds
from daemon.taxonomy import RunState, RunStatus

_REMEMBERED = 1000


class Changes:
    """Remembers what was said, so that everything is said once."""

    def __init__(self) -> None:
        self._steps: dict[str, tuple[str, str]] = {}
        self._ended: dict[str, None] = {}

    def started(self, active: Iterable[CurrentRun]) -> Iterator[str]:
        """Runs that are new, or in another step than before."""
        for run in active:
            step = (run.state, run.current_step)
            if self._steps.get(run.run_id) != step:
                self._steps[run.run_id] = step
                said = printable(run.current_step)
                idle = "started" if run.state is RunState.IDLE else str(run.state)
                text = f"{run.state}: {said}" if said else idle
                yield _line(run.last_updated, run.pipeline, run.source, text)

    def ended(self, runs: Iterable[RunDetail]) -> Iterator[str]:
        """Runs that have ended since, given newest first."""
        for run in reversed(list(runs)):
            if run.end_time is not None and run.run_id not in self._ended:
                self._remember(run)
                yield _line(run.end_time, run.pipeline, run.source, _outcome(run))

    def skip(self, runs: Iterable[RunDetail]) -> None:
        """Takes runs as known."""
        for run in runs:
            self._remember(run)

    def _remember(self, run: RunDetail) -> None:
        self._ended[run.run_id] = None
        self._steps.pop(run.run_id, None)
        while len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]


def failure_line(failure: FailureDetail) -> str:
    """One failure with its advice."""
    item = f" {printable(failure.item)}:" if failure.item is not None else ""
    said = f"{printable(failure.user_message)} → {printable(failure.suggested_action)}"
    text = f"failure {failure.id} ({failure.error_category}):{item} {said}"
    return _line(failure.error_time, failure.pipeline, failure.source, text)


def _line(moment: datetime, pipeline: str, source: str, text: str) -> str:
    return f"{local(moment)}  {printable(pipeline)}/{printable(source)}  {text}"


def _outcome(run: RunDetail) -> str:
    said = f"{run.status} after {seconds(run.duration_seconds)}: {outcome(run)}"
    return f"{said}{left_open(run)}"


def left_open(run: RunDetail) -> str:
    """What a run says that is no success and in which nothing failed: that earlier failures are open."""
    said = run.status is RunStatus.PARTIAL and not run.counts.failed and run.error_message
    return f". {printable(said)}" if said else ""
