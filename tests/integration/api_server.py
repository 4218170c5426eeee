"""The API on a real socket: uvicorn on loopback, over a daemon with something to show."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from litestar import Litestar

from api.app import create_app
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
from daemon.taxonomy import Trigger
from tests.unit.api_support import CONFIG, may_go_on, put_files, until


@contextmanager
def listening(app: Litestar) -> Iterator[str]:
    """The URL under which uvicorn serves an application."""
    # asyncio sets TCP_NODELAY only where the protocol is named; without it every answer waits 40 ms.
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, args=([opened],))
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        opened.close()


@contextmanager
def running(folder: Path, more: str = "") -> Iterator[tuple[Daemon, str]]:
    """A daemon and the URL of its API. `more` is added to its configuration."""
    may_go_on.set()
    put_files(folder)
    file = folder / "triaged.toml"
    file.write_text("[server]\nrequests_per_minute = 0\n" + CONFIG)
    daemon = Daemon(load_settings(file, {}))
    daemon.start(schedule=False)
    for name in ("ingest", "mailbox"):
        pipeline = daemon.catalog.pipeline(name)
        daemon.cycles.run(pipeline, pipeline.sources.values(), Trigger.MANUAL)
    try:
        with listening(create_app(daemon.offered)) as url:
            yield daemon, url
    finally:
        daemon.stop(5)
