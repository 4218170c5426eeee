"""How many sockets may be open: of all topics together, and of one client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from api.sockets.closing import Close, Refused
from daemon.metrics import Metrics


class Limits(NamedTuple):
    """How many sockets."""

    all: int
    per_client: int


class Connections:
    """The sockets that are open. Belongs to the event loop."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._by_client: Counter[str] = Counter()

    @contextmanager
    def counted(self, client: str) -> Iterator[None]:
        """While inside, there is one socket more. Raises `Refused` when there are too many."""
        self._check(client)
        self._by_client[client] += 1
        self._metrics.live_clients.inc()
        try:
            yield
        finally:
            self._by_client[client] -= 1
            self._by_client += Counter()  # forgets those at zero
            self._metrics.live_clients.dec()

    def _check(self, client: str) -> None:
        most, most_of_one = self._limits
        if self._by_client[client] >= most_of_one:
            raise Refused(
                Close.TOO_MANY_OF_CLIENT,
                f"this client has {most_of_one} sockets open: close one first",
            )
        if self._by_client.total() >= most:
            raise Refused(Close.FULL, f"all {most} sockets are taken: poll, or try again later")
