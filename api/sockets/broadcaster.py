"""Tells all sockets what is new: one message for all, at a bounded pace, and nobody waits for anybody."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from api.sockets.board import Board
from api.sockets.closing import NO_MORE, Close, Refused
from api.sockets.follower import Follower
from daemon.clock import Clock
from daemon.metrics import Metrics

log = logging.getLogger("triaged.api")

CHANNEL = "socket"


class Pace(NamedTuple):
    """How often, in seconds."""

    update: float = 0.25
    """At least between two updates of one client."""
    heartbeat: float = 1.5
    """Without any change. With the delay of a tick it stays below two seconds."""
    read: float = 0.1
    """How long a tick waits at most for what is stored."""
    first_read: float = 1.0
    """How long the first of all clients waits at most for what is stored."""
    patience: float = 10.0
    """How long a client may take nothing before it is dropped."""


class Limits(NamedTuple):
    """How many sockets."""

    all: int
    per_client: int


class Broadcaster:
    """All who follow live. Works only while there are any; belongs to the event loop."""

    def __init__(
        self,
        board: Board,
        metrics: Metrics,
        clock: Clock,
        limits: Limits,
        pace: Pace | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`sleep` is how it waits for its next tick: a simulation moves its clock instead."""
        self.board = board
        self._metrics = metrics
        self._clock = clock
        self._limits = limits
        self._pace = pace or Pace()
        self._sleep = sleep
        metrics.notifications_dropped.labels(CHANNEL)  # at zero from the start
        self._followers: set[Follower] = set()
        self._by_client: Counter[str] = Counter()
        self._told: object = None
        self._told_at = float("-inf")
        self._revision = 0
        self._ticking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def following(self, follower: Follower) -> AsyncIterator[None]:
        """While inside, the follower is told everything. Raises `Refused` when there are too many."""
        self._enter(follower)
        try:
            await self._greet(follower)
            yield
        finally:
            self._exit(follower)
            await follower.leave()

    def _enter(self, follower: Follower) -> None:
        if self._by_client[follower.name] >= self._limits.per_client:
            raise Refused(
                Close.TOO_MANY_OF_CLIENT,
                f"this client has {self._limits.per_client} sockets open: close one first",
            )
        if self._by_client.total() >= self._limits.all:
            raise Refused(
                Close.FULL, f"all {self._limits.all} sockets are taken: poll, or try again later"
            )
        self._by_client[follower.name] += 1
        self._metrics.live_clients.inc()

    def _exit(self, follower: Follower) -> None:
        self._followers.discard(follower)
        self._by_client[follower.name] -= 1
        self._by_client += Counter()  # forgets those at zero
        self._metrics.live_clients.dec()

    async def _greet(self, follower: Follower) -> None:
        """The status as it is, at once; what comes later is told by the ticks."""
        # While others follow, what was read last is at most a moment old.
        fresh = self._ticking is not None or await self.board.freshen(self._pace.first_read)
        follower.announced = self.board.newest_failure if fresh else None
        self._note_changes()
        text = self.board.status(self._by_client.total())
        self._tell_status(follower, text, self._clock.monotonic())
        self._followers.add(follower)
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick_on())

    async def _tick_on(self) -> None:
        """Ticks while anybody follows. A defect is logged once, and does not end it for all."""
        broken = False
        try:
            while self._followers:
                spent = 0.0 if broken else self._clock.monotonic() - self._told_at
                await self._sleep(max(0.0, self._pace.update - spent))
                try:
                    await self.tick()
                    broken = False
                except Exception:
                    if not broken:
                        log.exception("live status failed", extra={"event": "live_failed"})
                    broken = True
        finally:
            self._ticking = None

    async def tick(self) -> None:
        """Tells everyone what is new to them, and drops those who take nothing."""
        self._dismiss_those_who_may_not_stay()
        # A store that is quick is told together with what is live; one that is slow, when it was read.
        await self.board.freshen(self._pace.read)
        self._note_changes()
        self._told_at = self._clock.monotonic()
        self._tell_failures()
        waiting = [follower for follower in self._followers if self._is_due(follower)]
        if waiting:
            text = self.board.status(self._by_client.total())
            for follower in waiting:
                self._tell_status(follower, text, self._told_at)
        for follower in [f for f in self._followers if f.behind() >= self._pace.patience]:
            self._drop(follower)

    def _dismiss_those_who_may_not_stay(self) -> None:
        """Before they are told anything more."""
        for follower in [f for f in self._followers if not f.may_stay()]:
            self._followers.discard(follower)
            log.info(
                "a socket was closed: what opened it is not good any more",
                extra={"event": "socket_dismissed"},
            )
            follower.drop(Close.UNAUTHENTICATED, NO_MORE)

    def _note_changes(self) -> None:
        state = self.board.state()
        if state != self._told:
            self._told = state
            self._revision += 1

    def _is_due(self, follower: Follower) -> bool:
        if follower.is_behind:
            return False
        since = self._told_at - follower.told_at
        wait = self._pace.heartbeat if follower.seen == self._revision else self._pace.update
        return since >= wait

    def _tell_status(self, follower: Follower, text: str, now: float) -> None:
        if follower.offer(text):
            follower.seen = self._revision
            follower.told_at = now

    def _tell_failures(self) -> None:
        newest = self.board.newest_failure
        if newest is None:
            return
        texts: dict[int, str] = {}
        for follower in self._followers:
            told = newest if follower.announced is None else follower.announced
            if told < newest and not follower.is_behind:
                if told not in texts:
                    texts[told] = self.board.failures_after(told, newest - told)
                follower.offer(texts[told], failures=newest - told)
                told = newest
            follower.announced = told

    def _drop(self, follower: Follower) -> None:
        missed = follower.failures_missed(self.board.newest_failure)
        self._metrics.live_dropped.inc()
        self._metrics.notifications_dropped.labels(CHANNEL).inc(missed)
        log.warning(
            "a client did not take its live messages and was dropped",
            extra={
                "event": "live_dropped",
                "seconds": round(follower.behind(), 1),
                "failures": missed,
            },
        )
        self._followers.discard(follower)
        follower.drop(
            Close.TOO_SLOW, f"{missed} failures were not delivered: connect again and look them up"
        )
