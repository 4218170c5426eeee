"""Begins cycles: puts their sources into the queue, and takes up again what an earlier process left there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from daemon.cycles.counts import SourceCounts
from daemon.cycles.cycle import Cycle, Means, Order, log_given_up
from daemon.events import Work
from daemon.ids import new_id
from daemon.pipelines.catalog import Registered, Source
from daemon.store.work import KeptWork
from daemon.taxonomy import Priority, RunStatus, Trigger

MOST_CLAIMS = 3
"""Work that the daemon died in so often is given up: its run fails, since it may be what the daemon died of."""


class SourceTask:
    """One source of a cycle, as the queue knows it. See `Task`."""

    def __init__(self, cycle: Cycle, work: Work, *, kept: bool, is_suspect: bool = False) -> None:
        self.work = work
        self.kept = kept
        self.is_suspect = is_suspect
        self.waits_for_source = work.priority is not Priority.CYCLE
        self._cycle = cycle

    def carry_out(self) -> bool:
        return self._cycle.carry_out(self.work.source)

    def leave_out(self) -> None:
        self._cycle.leave_out(self.work.source)

    def abandon(self) -> None:
        self._cycle.abandon()


def _again(cycle: Cycle, kept: KeptWork) -> SourceTask:
    """Work that an earlier process left. What it died in is done alone, till it is known what it died of."""
    is_suspect = 0 < kept.claims < MOST_CLAIMS
    return SourceTask(cycle, kept.work, kept=True, is_suspect=is_suspect)


class Cycles:
    """Begins cycles, whose sources wait in the queue for their turns."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self.sources: dict[str, SourceCounts] = {}
        """Sources of the current cycles, by pipeline."""

    def begin(
        self,
        pipeline: Registered,
        sources: Iterable[Source],
        trigger: Trigger,
        priority: Priority = Priority.PERSON,
        left_out: int = 0,
        *,
        kept: bool = False,
    ) -> Cycle:
        """Lets the sources wait for their turns. `kept`: see `Task`; `left_out`: see `Order`."""
        cycle = self._open(pipeline, sources, trigger, left_out=left_out)
        work = Work(
            cycle_id=cycle.cycle_id,
            pipeline=pipeline.name,
            source="",
            trigger=trigger,
            priority=priority,
            asked_at=self._means.clock.now(),
        )
        self._means.queue.put(
            SourceTask(cycle, msgspec.structs.replace(work, source=source), kept=kept)
            for source in cycle.sources
        )
        return cycle

    def run(self, pipeline: Registered, sources: Iterable[Source], trigger: Trigger) -> RunStatus:
        """Runs the sources when their turns come, waits for that, and returns what it came to."""
        cycle = self.begin(pipeline, sources, trigger)
        cycle.wait()
        return cycle.outcome

    def carry_out(
        self, pipeline: Registered, source: Source, trigger: Trigger, wanted: frozenset[str] | None
    ) -> str:
        """A cycle of one source, of all items or those `wanted`, in the calling thread, which has claimed it.

        Returns the id of the cycle, which has no run when the daemon is stopping.
        """
        cycle = self._open(pipeline, [source], trigger, wanted=wanted)
        cycle.carry_out(source.name)
        return cycle.cycle_id

    def take_up(self, kept: Sequence[KeptWork]) -> None:
        """Lets work wait again that an earlier process left, under the ids that it has, oldest first."""
        lasting = [each for each in kept if self._lasts(each)]
        for cycle_id, group in groupby(lasting, key=lambda each: each.work.cycle_id):
            found = list(group)
            first = found[0].work
            order = Order(
                cycle_id=cycle_id,
                pipeline=self._means.catalog.pipelines[first.pipeline],
                sources=tuple(each.work.source for each in found),
                trigger=first.trigger,
                begun=found[0].begun,
                given_up=frozenset(e.work.source for e in found if e.claims >= MOST_CLAIMS),
            )
            cycle = self._add(order)
            self._means.queue.put([_again(cycle, each) for each in found], again=True)

    def _lasts(self, kept: KeptWork) -> bool:
        """Whether it is to be done still; what is not, is forgotten."""
        if reason := self._reason_to_forget(kept):
            log_given_up(kept.work.pipeline, kept.work.source, reason)
            self._means.queue.forget(kept.work)
            return False
        return True

    def _reason_to_forget(self, kept: KeptWork) -> str | None:
        if kept.work.pipeline not in self._means.catalog.pipelines:
            return "its pipeline is gone"
        if self._means.catalog.find(kept.work.pipeline, kept.work.source) is None:
            return "its source is gone"
        return None

    def _open(
        self,
        pipeline: Registered,
        sources: Iterable[Source],
        trigger: Trigger,
        left_out: int = 0,
        wanted: frozenset[str] | None = None,
    ) -> Cycle:
        order = Order(
            cycle_id=new_id(self._means.clock),
            pipeline=pipeline,
            sources=tuple(source.name for source in sources),
            trigger=trigger,
            wanted=wanted,
            left_out=left_out,
        )
        return self._add(order)

    def _add(self, order: Order) -> Cycle:
        counts = self.sources.setdefault(order.pipeline.name, SourceCounts())
        return Cycle(self._means, order, counts)
