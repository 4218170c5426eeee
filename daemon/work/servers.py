"""How many runs may be at one server at a time: sources that share it share what it allows."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import NamedTuple

from daemon.clock import Clock
from daemon.pipelines.catalog import Catalog

ONE_MORE_AFTER = 6 * 3600.0
"""Seconds after which a server that refused is tried with one more again."""


class ServerRefusal(NamedTuple):
    """What a server turned out to allow."""

    bound: int
    since: float
    """On the monotonic clock."""


class ServerBounds:
    """The bound that is configured, and below it what servers allow that refused runs for being too many.

    Each refusal lowers the bound of its server to what was there besides. Safe for any thread.
    """

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._lock = threading.Lock()
        self._refused: dict[tuple[str, str], ServerRefusal] = {}

    def has_room(self, pipeline: str, source: str, at_work: Collection[str]) -> bool:
        """Whether the source may be run beside those that are `at_work`."""
        server = self._server(pipeline, source)
        if server is None:
            return True
        bound = self._bound(pipeline, server)
        return bound is None or self._count(pipeline, server, at_work) < bound

    def refuse(self, pipeline: str, source: str, at_work: Collection[str]) -> None:
        """The server of a source refused a run of it, beside those that are `at_work`."""
        server = self._server(pipeline, source)
        if server is not None:
            beside = self._count(pipeline, server, {*at_work} - {source})
            bound = self._bound(pipeline, server)
            lowered = max(1, beside if bound is None else min(bound, beside))
            with self._lock:
                self._refused[pipeline, server] = ServerRefusal(lowered, self._clock.monotonic())

    def _server(self, pipeline: str, source: str) -> str | None:
        found = self._catalog.find(pipeline, source)
        return found.server if found else None

    def _count(self, pipeline: str, server: str, sources: Collection[str]) -> int:
        return sum(self._server(pipeline, source) == server for source in sources)

    def _bound(self, pipeline: str, server: str) -> int | None:
        registered = self._catalog.pipelines.get(pipeline)
        configured = registered.per_server if registered else None
        with self._lock:
            refused = self._refused.get((pipeline, server))
        if refused is None:
            return configured
        passed = int((self._clock.monotonic() - refused.since) // ONE_MORE_AFTER)
        allowed = refused.bound + passed
        return allowed if configured is None else min(allowed, configured)
