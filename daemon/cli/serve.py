"""`triaged serve`: the daemon with its API, from the first line of its log to exit code 0."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import gc
import logging
import os
import signal
import socket
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, cast

import uvicorn
from uvicorn.config import WS_PROTOCOLS
from uvicorn.importer import import_from_string

from api.app import create_app
from daemon import logs
from daemon.cli.addresses import url_of
from daemon.cli.connections import ACCEPTED_AT_ONCE, WAITING_IN_KERNEL, ClientConnections, Listener
from daemon.cli.main import Exit, complain, leave
from daemon.cli.websocket import BoundedProtocol
from daemon.config.values import Listen
from daemon.errors import TriagedError
from daemon.pipelines.kinds import load_settings
from daemon.runners.forks import let_go_in_forks
from daemon.service import Daemon
from daemon.triage import Triage
from daemon.version import VERSION

log = logging.getLogger("triaged")

REQUEST_SECONDS = 3
"""How long requests under way may go on once the daemon stops."""

MESSAGE_BYTES = 16_384
"""The largest message that a socket takes."""

WEBSOCKETS = "websockets-sansio"
"""Uvicorn's name for the implementation that is used."""

_M_ARENA_MAX = -8  # <malloc.h> of glibc

OPEN_THIS = (
    ("/", "the page"),
    ("/api/processing/current-status", "what runs now"),
    ("/api/processing/failures", "failures with advice"),
    ("/api/export/failures.csv", "the same as CSV"),
    ("/metrics", "for Prometheus"),
    ("/schema/openapi.json", "the API described"),
)


class AddressTaken(TriagedError):
    """The address cannot be listened on."""

    exit_code = Exit.ADDRESS


_ENDING = (signal.SIGTERM, signal.SIGINT)


class Server(uvicorn.Server):
    """Uvicorn, with the signals left to us, since the daemon has to end after it."""

    def __init__(self, config: uvicorn.Config, before_end: Callable[[], None]) -> None:
        """`before_end` is called when requests under way are to come to their end."""
        super().__init__(config)
        self._before_end = before_end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._before_end()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """The first signal ends in order, a second one at once."""
        if self.should_exit:
            leave(Exit.INTERRUPTED)
        self.should_exit = True


def run(args: Namespace) -> int:
    """Serves until a signal. Does not return but for an error at the start: it ends the process."""
    share_one_heap()
    settings = load_settings(args.config)
    os.chdir(settings.base)  # own functions find their files from there, as settings do
    logs.configure(settings.config.log.level, settings.config.log.format, Triage.mask)
    listener = listen(settings.config.server.listen)
    daemon = Daemon(settings)
    try:
        server = make_server(daemon)
        for number in _ENDING:
            signal.signal(number, server.stop)
        let_go_in_forks(_ENDING, listener.close)
        daemon.start()
        announce(listener)
        # What is there by now stays for good: the garbage collector need not look at it again.
        gc.collect()
        gc.freeze()
        server.run(sockets=[listener])
    finally:
        lost = daemon.stop()
    if lost:
        complain(
            Exit.FAILURES,
            f"{lost} events could not be stored; their sources are processed again after the next start",
        )
    leave(Exit.FAILURES if lost else Exit.SUCCESS)
    return Exit.SUCCESS


def share_one_heap() -> None:
    """Lets all threads allocate from one heap, where glibc gives each its own: holes in those took 8 MB.

    To be called before there are threads. Does nothing where the system's C library is another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def listen(address: Listen) -> socket.socket:
    """A socket that listens at `address`, before anything is started. Raises `AddressTaken`."""
    listener = None
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM
        )[0]
        listener = Listener(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(WAITING_IN_KERNEL)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise AddressTaken(_advice(address, error)) from error
    return listener


def _advice(address: Listen, error: OSError) -> str:
    known = {
        errno.EADDRINUSE: "another program listens there, perhaps another triaged: stop it",
        errno.EADDRNOTAVAIL: "this machine does not have that address: name one of its own",
        errno.EACCES: "ports below 1024 need privileges: choose a higher one",
    }
    reason = known.get(error.errno or 0, error.strerror or str(error))
    return f"cannot listen on {address}: {reason}, or change server.listen in the configuration"


def make_server(daemon: Daemon) -> Server:
    """The server of the daemon's API, which logs nothing by itself but trouble."""
    connections = ClientConnections(daemon.offered.settings.config.server, daemon.offered.metrics)
    return Server(
        uvicorn.Config(
            create_app(daemon.offered),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=REQUEST_SECONDS,
            backlog=ACCEPTED_AT_ONCE,
            http=cast("type[asyncio.Protocol]", connections.protocol),
            ws=cast("type[asyncio.Protocol]", websocket),
            ws_max_size=MESSAGE_BYTES,
            # A status is small and goes to many: packing it for each costs more than it saves.
            ws_per_message_deflate=False,
        ),
        daemon.wind_down,
    )


def websocket(**given: Any) -> asyncio.Protocol:
    """Uvicorn's protocol of a socket, within bounds. It is imported with the first one, for the memory's sake."""
    protocol = import_from_string(WS_PROTOCOLS[WEBSOCKETS])
    return BoundedProtocol(protocol(**given))


def announce(listener: socket.socket) -> None:
    """Says that the daemon serves; to a person also what to open."""
    host, port = listener.getsockname()[:2]
    log.info(
        "serving",
        extra={"event": "serving", "listen": str(Listen(host, port)), "version": VERSION},
    )
    if sys.stderr.isatty():
        print(_welcome(url_of(Listen(host, port))), file=sys.stderr, flush=True)


def _welcome(url: str) -> str:
    width = max(len(path) for path, _ in OPEN_THIS)
    lines = [f"  {url}{path:<{width}}  {about}" for path, about in OPEN_THIS]
    return "\n".join([f"\ntriaged {VERSION} is running. Open:", *lines, "Ctrl-C stops it.\n"])
