"""Logs what is on disk: runs, failures and cycles, one structured line each."""

from __future__ import annotations

import logging
from typing import assert_never

from daemon import events
from daemon.store.entries import Committed, Entry
from daemon.store.runs import is_idle

log = logging.getLogger("triaged.runs")

LINES_PER_BATCH = 100
"""Failures beyond this number in one batch are counted in one line, so that a log stays readable."""


_DECIDED = ("failure_group", "decision", "failure_groups", "into", "split_group")


def write(committed: Committed) -> None:
    """A subscriber of the recorder."""
    failures = 0
    for entry in committed.entries:
        match entry.event:
            case events.ItemFailed():
                failures += 1
                if failures <= LINES_PER_BATCH:
                    _failure(entry.event, entry)
            case events.GroupEvent() as event:
                _group_event(event)
            case events.RunEnded() as event:
                _run_ended(event, entry)
            case events.RunStarted() as event:
                log.debug("a run began", extra={"event": "run_started", **_who(event)})
            case (
                events.StepEntered()
                | events.ProgressMade()
                | events.ItemSucceeded()
                | events.ItemSkipped()
                | events.RunNoted()
                | events.CycleEvent()
                | events.RetryEvent()
                | events.WorkEvent()
                | events.PipelinePaused()
                | events.LedgerChanged()
                | events.Audited()
            ):
                pass  # too many for a log, or logged where they are made
            case _:
                assert_never(entry.event)
    if failures > LINES_PER_BATCH:
        log.warning(
            "further failures were stored and are not logged one by one",
            extra={"event": "failures_not_logged", "count": failures - LINES_PER_BATCH},
        )


def _failure(event: events.ItemFailed, entry: Entry) -> None:
    assessment = entry.assessment
    assert assessment is not None
    log.warning(
        assessment.user_message,
        extra={
            "event": "failure",
            **_who(event),
            "file_path": entry.shown_item,
            "error_category": assessment.category.value,
            "retryable": assessment.retryable,
            "error_message": assessment.message,
            "rule": assessment.rule,
            "failure_group": assessment.failure_group,
            "row_count": event.row_count,
        },
    )


def _group_event(event: events.GroupEvent) -> None:
    """Who decided what. The fields are ids and closed vocabularies, and no text of a person's."""
    decided = {name: getattr(event, name) for name in _DECIDED if hasattr(event, name)}
    log.info(
        "a person decided about failure groups",
        extra={"event": "group_decided", "by": event.by, **decided},
    )


def _run_ended(event: events.RunEnded, entry: Entry) -> None:
    quiet = is_idle(event.status, event.counts.succeeded, event.counts.failed)
    summary = entry.summary
    log.log(
        logging.DEBUG if quiet else logging.INFO,
        "a run ended",
        extra={
            "event": "run_ended",
            **_who(event),
            "status": event.status.value,
            "seconds": round(event.duration_seconds, 3),
            "succeeded": event.counts.succeeded,
            "failed": event.counts.failed,
            "skipped": event.counts.skipped,
            "error_category": summary.category if summary else None,
        },
    )


def _who(event: events.RunEvent) -> dict[str, str]:
    return {"run_id": event.run_id, "pipeline": event.pipeline, "source": event.source}
