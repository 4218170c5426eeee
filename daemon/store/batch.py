"""Gathers a list of entries into rows by table: one pass, no database needed."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import assert_never

from daemon import events
from daemon.item_key import item_key
from daemon.store import rows
from daemon.store.columns.audit import AuditRow
from daemon.store.columns.runs import RunCountRow, RunEndRow, RunRow
from daemon.store.entries import Entry, NewFailure
from daemon.store.ledger import ItemDecision, LedgerBatches
from daemon.taxonomy import FailureStatus, RunStatus
from daemon.triage.assessment import Assessment


class Batch:
    """What a list of entries comes to. `next_id` is the id of the next failure."""

    def __init__(self, next_id: int, ledgers: LedgerBatches) -> None:
        """`ledgers` take in what events carry for them."""
        self.next_id = next_id
        self.ledgers = ledgers
        self.cycles: list[rows.Row] = []
        self.cycle_ends: list[rows.Row] = []
        self.runs: list[rows.Row] = []
        self.run_ends: list[rows.Row] = []
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """By run what it did, of those that go on."""
        self.run_log: list[rows.Row] = []
        self.failures: list[NewFailure] = []
        self.decisions: list[rows.ItemRow] = []
        self.pauses: list[events.PipelinePaused] = []
        self.group_events: list[events.AnyGroupEvent] = []
        self.retries: list[events.AnyRetryEvent] = []
        self.work: list[events.AnyWorkEvent] = []
        self.audit: list[rows.Row] = []
        self.decided_again: set[int] = set()
        """Keys of items that were decided about before in this batch, so it may change its own failures."""
        self._latest_run: dict[int, str] = {}
        """The run that decided about an item last; empty for a person."""

    @classmethod
    def of(cls, entries: list[Entry], next_id: int, ledgers: LedgerBatches) -> Batch:
        """The batch that `entries` come to."""
        batch = cls(next_id, ledgers)
        for entry in entries:
            batch.add(entry)
        return batch

    def counted(self) -> list[rows.Row]:
        """What runs that go on did: should the daemon die in one, it is known."""
        return [RunCountRow(run_id=run, **counts) for run, counts in self._counts.items()]

    def add(self, entry: Entry) -> None:  # noqa: C901, PLR0912 (one case for each kind)
        """Takes one entry in."""
        match entry.event:
            case events.ItemFailed() as event:
                assert entry.assessment is not None, "the recorder triages every failure"
                self._add_failure(event, entry.assessment, entry.shown_item)
            case events.ItemSucceeded() as event:
                self._add_success(event)
            case events.RunStarted() as event:
                self.runs.append(RunRow.of(event))
            case events.RunEnded() as event:
                assert entry.summary is not None, "the recorder sums up every run"
                self.run_ends.append(RunEndRow.of(event, entry.summary))
                self._counts.pop(event.run_id, None)
                if event.status in (RunStatus.SUCCESS, RunStatus.PARTIAL):
                    key = item_key(event.pipeline, event.source, None)
                    self._decide(event, key, FailureStatus.RESOLVED, event.at, event.run_id)
            case events.StepEntered() as event:
                self._log(event, "step", f"{event.state}: {event.text}")
            case events.RunNoted() as event:
                self.ledgers.note(event)
            case events.CycleStarted() as event:
                self._add_cycle(event)
            case events.CycleEnded() as event:
                self._add_cycle_end(event)
            case events.LedgerChanged() as event:
                self._add_change(event)
            case events.PipelinePaused() as event:
                self.pauses.append(event)
            case events.GroupEvent() as event:
                self.group_events.append(event)
            case events.RetryEvent() as event:
                self.retries.append(event)
            case events.WorkEvent() as event:
                self.work.append(event)
            case events.Audited() as event:
                self.audit.append(AuditRow.of(event))
            case events.ItemSkipped() as event:
                self._counts[event.run_id]["skipped"] += event.count
                if event.gone is not None:
                    key = item_key(event.pipeline, event.source, event.gone)
                    self._decide(event, key, FailureStatus.RESOLVED, event.at, event.run_id)
            case events.CycleSkipped() | events.ProgressMade():
                pass  # only counted or shown, not stored
            case _:
                assert_never(entry.event)

    def _add_failure(
        self, event: events.ItemFailed, assessment: Assessment, shown_item: str | None
    ) -> None:
        key = item_key(event.pipeline, event.source, event.item)
        counts = self._counts[event.run_id]
        counts["failed"] += event.item is not None and event.first_cause
        counts["retryable"] += assessment.retryable
        if self._latest_run.get(key) != event.run_id:
            self._decide(event, key, FailureStatus.RETRYING, event.at, event.run_id)
        new = NewFailure(self.next_id, key, event, assessment, shown_item)
        self.failures.append(new)
        if event.facts is not None:
            self.ledgers.add(event.facts, new)
        if assessment.full_text is not None:
            self._log(event, "failure_text", assessment.full_text, self.next_id)
        self.next_id += 1

    def _add_success(self, event: events.ItemSucceeded) -> None:
        self._counts[event.run_id]["succeeded"] += 1
        key = item_key(event.pipeline, event.source, event.item)
        self._decide(event, key, FailureStatus.RESOLVED, event.at, event.run_id)
        if event.facts is not None:
            self.ledgers.add(event.facts, event)

    def _decide(
        self,
        whose: events.RunEvent | ItemDecision,
        key: int,
        status: FailureStatus,
        at: datetime,
        run_id: str,
    ) -> None:
        """From here on the item's failures of other runs have another status."""
        if key in self._latest_run:
            self.decided_again.add(key)
        self._latest_run[key] = run_id
        self.decisions.append(
            rows.ItemRow(
                pipeline=whose.pipeline,
                source=whose.source,
                item_key=key,
                run_id=run_id,
                before_id=self.next_id,
                position=len(self.decisions),
                status=status,
                decided_at=at,
            )
        )

    def _log(
        self, event: events.RunEvent, kind: str, text: str, failure_id: int | None = None
    ) -> None:
        self.run_log.append(
            rows.LogRow(
                run_id=event.run_id,
                logged_at=event.at,
                event=kind,
                text=text,
                failure_id=failure_id,
            )
        )

    def _add_cycle(self, event: events.CycleStarted) -> None:
        self.cycles.append(
            rows.CycleRow(
                cycle_id=event.cycle_id,
                pipeline=event.pipeline,
                started_by=event.trigger,
                started_at=event.at,
            )
        )

    def _add_cycle_end(self, event: events.CycleEnded) -> None:
        self.cycle_ends.append(
            rows.CycleEndRow(
                cycle_id=event.cycle_id,
                ended_at=event.at,
                outcome=event.outcome,
                duration_seconds=event.duration_seconds,
            )
        )

    def _add_change(self, event: events.LedgerChanged) -> None:
        for decision in self.ledgers.change(event):
            key = item_key(decision.pipeline, decision.source, decision.item)
            self._decide(decision, key, decision.status, event.at, run_id="")
