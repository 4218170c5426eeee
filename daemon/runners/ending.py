"""The middle of a run, wherever it is carried out: the pipeline's function is called, and ends somehow."""

from __future__ import annotations

from enum import StrEnum

from daemon.pipelines.contract import Pipeline
from daemon.runners.handle import Run, RunClosed


class Ending(StrEnum):
    """How the function of a run ended."""

    RETURNED = "returned"
    """By itself. What it reported decides what the run came to."""
    GAVE_UP = "gave_up"
    """By itself, after it saw that it should stop."""
    FAILED = "failed"
    """By an error, which is a failure of the run itself."""
    CLOSED = "closed"
    """The run had been ended under it."""


def carry_out(function: Pipeline, run: Run) -> Ending:
    """Calls the function. Whatever it raises is reported, for triage to understand."""
    try:
        function(run)
    except BaseException as error:  # noqa: BLE001 (also a cancelled task of asyncio, or a panic of Rust)
        return _failed(run, error)
    return Ending.GAVE_UP if run.gave_up else Ending.RETURNED


def _failed(run: Run, error: BaseException) -> Ending:
    """Says so, unless the run had been ended: that it was is not for the function to say."""
    try:
        run.fail(None, error)
    except RunClosed:
        return Ending.CLOSED
    return Ending.FAILED
