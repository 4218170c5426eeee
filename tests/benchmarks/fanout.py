"""Live messages to a thousand sockets, ten times a second, beside `broadcast()` of websockets and Litestar's channels.

Clients and server are processes of their own on one machine. What a message takes is from the moment
that the server put into it, or sent it, to the moment that a client has it, on the same clock. The promised pace of 250 ms is set
to 100 ms here, so that our broadcaster has to send ten times a second as the others do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.benchmarks.child import ROOT, call
from tests.benchmarks.figures import Bench, Figure, compared, median, percentile
from tests.benchmarks.machine import processor_seconds
from tests.support.product import free_port

SOCKETS = 1000
RATE = 10.0
REPETITIONS = 3
LEAST_FILES = 4096
SERVERS = "tests.benchmarks.fanout_servers"


def measure(bench: Bench) -> Iterator[Figure]:
    """Milliseconds of delivery, and how much slower a run is while a thousand listen."""
    sockets = bench.size(SOCKETS)
    seconds = 3.0 if bench.quick else 6.0
    found: dict[str, list[dict[str, float]]] = {}
    slowdowns = []
    # In turns, so that whatever else the machine does falls on all of them.
    for number in range(1 if bench.quick else REPETITIONS):
        for kind in ("broadcast", "triaged", "channels"):
            bench.say(f"{kind}, {number + 1} of {REPETITIONS}")
            found.setdefault(kind, []).append(_delivery(kind, sockets, seconds))
        slowdowns.append(_slowdown(sockets))
    for share, unit in (("p50", "ms"), ("p99", "ms"), ("processor time", "µs")):
        ours, peer, channels = (
            median([one[share] for one in found[kind]])
            for kind in ("triaged", "broadcast", "channels")
        )
        name = f"live message to {sockets:,} sockets, {share}"
        yield compared(name, ours, unit, ("broadcast() of websockets", peer), most=3)
        yield compared(f"  Litestar channels, {share}", channels, unit, ("triaged", ours))
    quiet, busy = (median([one[number] for one in slowdowns]) for number in (0, 1))
    beside = ("nobody listens", quiet)
    yield compared(f"a run of 20,000 items, {sockets:,} sockets", busy, "ms", beside)


def _delivery(kind: str, sockets: int, seconds: float) -> dict[str, float]:
    with _server(kind, sockets) as (port, process):
        delays, used = call(__name__, "listen", port, process, sockets, seconds)
    return {
        "p50": percentile(delays, 0.5),
        "p99": percentile(delays, 0.99),
        "processor time": used / len(delays) * 1_000_000,
    }


def _slowdown(sockets: int) -> tuple[float, float]:
    """Milliseconds of a run while nobody listens, and while all sockets do."""
    with _server("runs", sockets) as (port, _):
        taken: list[list[float]] = call(__name__, "listen_to_runs", port, sockets)
    return median(taken[0]), median(taken[1])


@contextlib.contextmanager
def _server(kind: str, sockets: int) -> Iterator[tuple[int, int]]:
    """One of the servers, in a process of its own; gives its port and its id."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        given = [sys.executable, "-m", SERVERS, kind, str(port), str(sockets), folder]
        process = subprocess.Popen(given, cwd=ROOT, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield port, process.pid
        finally:
            process.kill()
            process.communicate()


def allow_files() -> None:
    """Raises the limit of open files as far as that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, LEAST_FILES if hard < 0 else min(LEAST_FILES, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def listen(port: int, process: int, sockets: int, seconds: float) -> tuple[list[float], float]:
    """Milliseconds that each message took to each client; processor seconds that the server used."""
    allow_files()
    return asyncio.run(_listen(port, process, sockets, seconds))


def listen_to_runs(port: int, sockets: int) -> list[list[float]]:
    """Milliseconds of runs: without listeners, and with them."""
    allow_files()
    return asyncio.run(_listen_to_runs(port, sockets))


class Ear(asyncio.Protocol):
    """A client as cheap as can be, so that the server is measured: it reads frames, and nothing more."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self.open = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._port = port

    def connection_made(self, transport: Any) -> None:
        transport.write(
            f"GET /ws/status HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self._buffer += data
        if not self.open.done():
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head.split(b"\r\n")[0], head
            self._buffer = rest
            self.open.set_result(None)
        while (frame := self._next_frame()) is not None:
            self.heard.append((now, frame))

    def _next_frame(self) -> bytes | None:
        if len(self._buffer) < 4:
            return None
        size, start = self._buffer[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(self._buffer[2:4], "big"), 4
        if len(self._buffer) < start + size:
            return None
        frame, self._buffer = self._buffer[start : start + size], self._buffer[start + size :]
        return frame


async def _connect(port: int, sockets: int) -> list[Ear]:
    loop = asyncio.get_running_loop()
    ears: list[Ear] = []
    for begin in range(0, sockets, 50):
        batch = [
            loop.create_connection(lambda: Ear(port), "127.0.0.1", port)
            for _ in range(min(50, sockets - begin))
        ]
        ears += [ear for _, ear in await asyncio.gather(*batch)]
        await asyncio.gather(*(ear.open for ear in ears))
    return ears


async def _listen(
    port: int, process: int, sockets: int, seconds: float
) -> tuple[list[float], float]:
    ears = await _connect(port, sockets)
    await asyncio.sleep(1.5)
    for ear in ears:
        ear.heard.clear()
    used = processor_seconds(process)
    await asyncio.sleep(seconds)
    used = processor_seconds(process) - used
    heard = [list(ear.heard) for ear in ears]
    fewest = min(map(len, heard))
    assert fewest >= seconds * RATE * 0.7, f"{fewest} messages in {seconds} s"
    frames = [one for each in heard for one in each if one[1].startswith(b"{")]
    return [(at - _sent_at(frame)) * 1000 for at, frame in frames], used


def _sent_at(frame: bytes) -> float:
    return datetime.fromisoformat(json.loads(frame)["server_time"]).timestamp()


async def _listen_to_runs(port: int, sockets: int) -> list[list[float]]:
    quiet = await _durations(port)
    await _connect(port, sockets)
    await asyncio.sleep(1)
    return [quiet, await _durations(port)]


async def _durations(port: int) -> list[float]:
    """What a few runs take, each asked of the server on a socket of its own."""
    found = []
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        answer = (await reader.read()).partition(b"\r\n\r\n")[2]
        writer.close()
        found.append(float(answer))
    return found
