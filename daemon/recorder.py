"""The one way from what happens to what is stored and shown.

Triage, then the store, then everybody else: nobody sees a failure that is not on disk. Progress is
the exception: it is only shown, and only the newest of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import assert_never

import msgspec

from daemon import events
from daemon.live import Live
from daemon.store.entries import Committed, Entry
from daemon.store.writer import Writer
from daemon.summary import Summary
from daemon.triage import Triage
from daemon.truncation import clip

log = logging.getLogger("triaged.recorder")

LONGEST_WORDS = 4096
"""Characters of an item's name or a step's text that are kept."""

Subscriber = Callable[[Committed], None]


class Recorder:
    """Takes events from any thread. Made with the triage; told its writer by `connect`."""

    def __init__(self, triage: Triage, live: Live) -> None:
        self._triage = triage
        self._live = live
        self._subscribers: list[Subscriber] = [self._show]
        self._summaries: dict[str, Summary] = {}
        self._writer: Writer | None = None

    def connect(self, writer: Writer) -> None:
        """From now on events go to `writer`, which calls `announce` with what it has stored."""
        self._writer = writer

    def subscribe(self, subscriber: Subscriber) -> None:
        """Lets `subscriber` see every batch once it is on disk, in order, on the writer's thread."""
        self._subscribers.append(subscriber)

    @property
    def writer(self) -> Writer:
        assert self._writer is not None, "connect comes first"
        return self._writer

    def progress(self, event: events.ProgressMade) -> None:
        """Shows how far a run is. Costs the pipeline next to nothing."""
        self._live.progress(event)

    def record(self, event: events.AnyEvent) -> int:
        """Queues an event; returns its position, for `wait`.

        Blocks while the queue is full. Raises `RecorderClosed`.
        """
        return self.writer.put(Entry(event))

    def wait(self, position: int, timeout: float | None = None) -> bool:
        """Waits till the event at `position` and all before it are on disk."""
        return self.writer.wait(position, timeout)

    def flush(self, timeout: float | None = None) -> bool:
        """Waits till everything recorded so far is on disk; False when the time ran out."""
        return self.writer.flush(timeout)

    def prepare(self, entry: Entry) -> Entry:
        """Triages what is queued, just before it is stored, on the writer's thread.

        Triage hands its lock over for every search. Where runs go on it would wait for the writer each
        time; one thread that does both loses nothing. What is triaged already stays as it is.
        """
        if entry.assessment is not None or entry.summary is not None:
            return entry
        match event := entry.event:
            case events.ItemFailed():
                return self._triaged(event)
            case events.RunStarted():
                self._summaries[event.run_id] = Summary()
            case events.RunEnded():
                summary = self._summaries.pop(event.run_id, None) or Summary()
                shown = msgspec.structs.replace(event, step=self._shown(event.step))
                return Entry(shown, summary=summary.result(event.earlier_failures))
            case events.StepEntered():
                return Entry(msgspec.structs.replace(event, text=self._shown(event.text)))
            case (
                events.ItemSucceeded()
                | events.ItemSkipped()
                | events.RunNoted()
                | events.ProgressMade()
                | events.CycleEvent()
                | events.GroupEvent()
                | events.RetryEvent()
                | events.WorkEvent()
                | events.PipelinePaused()
                | events.LedgerChanged()
                | events.Audited()
            ):
                pass  # stored as it is
            case _:
                assert_never(event)
        return entry

    def _triaged(self, event: events.ItemFailed) -> Entry:
        assessment = self._triage.assess(
            event.error, pipeline=event.pipeline, step=event.step, column=event.column
        )
        shown_item = None if event.item is None else self._shown(event.item)
        summary = self._summaries.get(event.run_id)
        if summary is not None:
            summary.add(assessment, shown_item, whole_run=event.item is None)
        if event.column is not None:
            event = msgspec.structs.replace(event, column=self._shown(event.column))
        return Entry(event, assessment, shown_item=shown_item)

    def _shown(self, text: str) -> str:
        """A pipeline's own words as they may be stored: masked, and no longer than a path can be."""
        return self._triage.mask(clip(text, 2 * LONGEST_WORDS))[:LONGEST_WORDS]

    def announce(self, committed: Committed) -> None:
        """Tells every subscriber what is on disk now; one that fails does not keep it from others."""
        for subscriber in self._subscribers:
            try:
                subscriber(committed)
            except Exception:
                log.exception("a subscriber failed", extra={"event": "subscriber_failed"})

    def _show(self, committed: Committed) -> None:
        for entry in committed.entries:
            match entry.event:
                case events.RunStarted() as event:
                    self._live.begin(event)
                case events.StepEntered() as event:
                    self._live.step(event)
                case events.ItemSucceeded() as event:
                    self._live.succeed(event)
                case events.ItemSkipped() as event:
                    self._live.skip(event)
                case events.ItemFailed() as event:
                    assert entry.assessment is not None
                    self._live.fail(event, entry.assessment.user_message)
                case events.RunEnded() as event:
                    self._live.end(event)
                case (
                    events.RunNoted()
                    | events.ProgressMade()
                    | events.CycleEvent()
                    | events.GroupEvent()
                    | events.RetryEvent()
                    | events.WorkEvent()
                    | events.PipelinePaused()
                    | events.LedgerChanged()
                    | events.Audited()
                ):
                    pass  # progress goes its own way, and the others are no part of a run
                case _:
                    assert_never(entry.event)
