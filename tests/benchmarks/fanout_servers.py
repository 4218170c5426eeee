"""The servers that `fanout` measures: `python -m tests.benchmarks.fanout_servers KIND PORT SOCKETS FOLDER`."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar, WebSocket, post, websocket
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend
from websockets.asyncio.server import ServerConnection, broadcast, serve

from api.app import create_app
from api.sockets.broadcaster import Pace
from api.sockets.status import STATUS
from daemon.cli.serve import make_server
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
from daemon.taxonomy import Trigger
from tests.benchmarks.fanout import RATE, allow_files

CONFIG = """
[server]
websocket_connections = {sockets}
websocket_connections_per_client = {sockets}
[log]
level = "error"
[pipelines.work]
run = "work:work"
"""
WORK = """
def work(run):
    for n in range(20_000):
        run.progress(n, 20_000)
        run.succeed(f"item {n}")
"""
SIZE = 1800
"""Bytes of a message of the peers: as large as ours, which is the status of an idle daemon."""


def main() -> None:
    """Serves till it is killed."""
    kind, port, sockets, folder = sys.argv[1:]
    allow_files()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(2048)
    threading.Timer(2.0, print, ["ready"], {"flush": True}).start()
    if kind == "broadcast":
        asyncio.run(_broadcast(listener))
    elif kind == "channels":
        _run(
            uvicorn.Server(
                uvicorn.Config(_channels(), log_config=None, ws_per_message_deflate=False)
            ),
            listener,
        )
    else:
        daemon = _daemon(Path(folder), int(sockets))
        server = make_server(daemon)
        if kind == "triaged":
            pace = Pace(update=1 / RATE, heartbeat=1 / RATE)
            server.config.app = create_app(daemon.offered, [STATUS._replace(pace=pace)])
        else:
            server.config.app.register(_runs(daemon))  # type: ignore[union-attr]
        _run(server, listener)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    server.run(sockets=[listener])


def _message() -> str:
    return json.dumps({"server_time": datetime.now(UTC).isoformat(), "data": "x" * SIZE})


async def _regularly(send: Callable[[str], Awaitable[None]]) -> None:
    while True:
        begun = time.monotonic()
        await send(_message())
        await asyncio.sleep(max(0.0, 1 / RATE - (time.monotonic() - begun)))


async def _broadcast(listener: socket.socket) -> None:
    connections: set[ServerConnection] = set()

    async def follow(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()
        connections.discard(connection)

    async def send(text: str) -> None:
        broadcast(connections, text)

    async with serve(follow, sock=listener, compression=None):
        await _regularly(send)


def _channels() -> Litestar:
    channels = ChannelsPlugin(MemoryChannelsBackend(), channels=["status"])

    @websocket("/ws/status")
    async def follow(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        async with (
            channels.start_subscription("status") as subscriber,
            subscriber.run_in_background(socket.send_text),
        ):
            await socket.receive()

    @asynccontextmanager
    async def sending(_: Litestar) -> Any:
        async def send(text: str) -> None:
            channels.publish(text, "status")

        task = asyncio.create_task(_regularly(send))
        yield
        task.cancel()

    return Litestar([follow], plugins=[channels], lifespan=[sending], logging_config=None)


def _daemon(folder: Path, sockets: int) -> Daemon:
    (folder / "work.py").write_text(WORK)
    (folder / "triaged.toml").write_text(CONFIG.format(sockets=sockets + 10))
    daemon = Daemon(load_settings(folder / "triaged.toml", {}))
    daemon.start(schedule=False)
    return daemon


def _runs(daemon: Daemon) -> Any:
    @post("/run", opt={"role": None}, sync_to_thread=True, media_type="text/plain")
    def run() -> str:
        """Milliseconds of one run."""
        pipeline = daemon.catalog.pipeline("work")
        begun = time.perf_counter()
        daemon.cycles.run(pipeline, pipeline.sources.values(), Trigger.MANUAL)
        return str((time.perf_counter() - begun) * 1000)

    return run


if __name__ == "__main__":
    main()
