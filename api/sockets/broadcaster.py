"""Tells all who follow a topic what is new: one message for all, at a bounded pace, and nobody waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import NamedTuple

from api.sockets.closing import MEANINGS, NO_MORE, Close
from api.sockets.feed import Feed
from api.sockets.follower import Event, Follower, farewell, message
from daemon.clock import Clock
from daemon.metrics import Metrics

log = logging.getLogger("triaged.api")

CHANNEL = "socket"
_OVER = farewell(Close.ENDED, MEANINGS[Close.ENDED])


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
    longest: float = float("inf")
    """How long a socket may be open."""


class Broadcaster:
    """All who follow one topic. Works only while there are any; belongs to the event loop."""

    def __init__(
        self,
        feed: Feed,
        metrics: Metrics,
        clock: Clock,
        pace: Pace,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`sleep` is how it waits for its next tick: a simulation moves its clock instead."""
        self.feed = feed
        self.clients = 0
        """Sockets that follow."""
        self._metrics = metrics
        self._clock = clock
        self._pace = pace
        self._sleep = sleep
        self._followers: set[Follower] = set()
        self._told: object = None
        self._told_at = float("-inf")
        self._revision = 0
        self._ticking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def following(self, follower: Follower) -> AsyncIterator[None]:
        """While inside, the follower is told everything."""
        self.clients += 1
        try:
            await self._greet(follower)
            yield
        finally:
            self._followers.discard(follower)
            self.clients -= 1
            await follower.leave()

    async def _greet(self, follower: Follower) -> None:
        """The state as it is, at once; what comes later is told by the ticks."""
        # While others follow, what was read last is at most a moment old.
        fresh = self._ticking is not None or await self.feed.freshen(self._pace.first_read)
        follower.announced = self.feed.newest if fresh else None
        self._tell(follower, self._begin_round())
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
        await self.feed.freshen(self._pace.read)
        round_ = self._begin_round()
        self._told_at = round_.at
        for follower in self._followers:
            if follower.announced is None:
                follower.announced = round_.newest
            self._tell(follower, round_)
        for follower in [f for f in self._followers if f.behind() >= self._pace.patience]:
            self._drop(follower)

    def _dismiss_those_who_may_not_stay(self) -> None:
        """Before they are told anything more."""
        now = self._clock.monotonic()
        for follower in list(self._followers):
            if not follower.may_stay():
                log.info(
                    "a socket was closed: what opened it is not good any more",
                    extra={"event": "socket_dismissed"},
                )
                self._dismiss(follower, Close.UNAUTHENTICATED, NO_MORE)
            elif now - follower.since >= self._pace.longest:
                self._dismiss(follower, Close.LASTED, MEANINGS[Close.LASTED])

    def _dismiss(self, follower: Follower, code: int, reason: str) -> None:
        self._followers.discard(follower)
        follower.drop(code, reason)

    def _begin_round(self) -> _Round:
        round_ = _Round(self.feed, self.clients, self._clock.monotonic())
        if round_.revision != self._told:
            self._told = round_.revision
            self._revision += 1
        return round_

    def _tell(self, follower: Follower, round_: _Round) -> None:
        """All that is new to a follower, at once; nothing while it is behind."""
        if follower.is_behind:
            return
        new = round_.count_after(follower.announced)
        events = round_.notices(new)
        if round_.ended:
            follower.finish([*events, round_.state, _OVER], new)
        elif self._is_due(follower, round_.at):
            follower.seen, follower.told_at = self._revision, round_.at
            follower.offer([*events, round_.state], new)
        elif events:
            follower.offer(events, new)
        if new:
            follower.announced = round_.newest

    def _is_due(self, follower: Follower, now: float) -> bool:
        wait = self._pace.heartbeat if follower.seen == self._revision else self._pace.update
        return now - follower.told_at >= wait

    def _drop(self, follower: Follower) -> None:
        missed = follower.notices_missed(self.feed.newest)
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
        what = self.feed.notices_are
        self._dismiss(
            follower,
            Close.TOO_SLOW,
            f"{missed} {what} were not delivered: connect again and look them up",
        )


class _Round:
    """What is told at one moment: each message is made once, when the first follower needs it."""

    def __init__(self, feed: Feed, clients: int, at: float) -> None:
        self.at = at
        # Asked first: when it has ended, nothing below changes any more.
        self.ended = feed.ended
        self.newest = feed.newest
        self.revision = feed.revision()
        self._feed = feed
        self._clients = clients
        self._notices: dict[int, list[Event]] = {0: []}

    @cached_property
    def state(self) -> Event:
        """The message of the state."""
        return message(self._feed.state(self._clients))

    def count_after(self, announced: int | None) -> int:
        """How many notices are new to somebody who was told of those up to this one."""
        if self.newest is None or announced is None:
            return 0
        return max(0, self.newest - announced)

    def notices(self, count: int) -> list[Event]:
        """The messages of the newest so many notices."""
        if count not in self._notices:
            after = (self.newest or 0) - count
            self._notices[count] = [message(text) for text in self._feed.notices(after, count)]
        return self._notices[count]
