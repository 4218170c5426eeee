"""Starts the real product in a process of its own, and talks to it as its users do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds that a test waits for something before it fails."""

SERVER = """
[server]
listen = "127.0.0.1:{port}"
grace = "5s"
"""

ORDERS = """
[pipelines.ingest]
every = "{every}"
[pipelines.ingest.sources.orders]
files = "inbox/*.csv"
table = "orders"
settle = "1ms"
columns = {{ order_id = "BIGINT", email = "VARCHAR", amount = "DECIMAL(10,2)" }}
"""

GOOD = "order_id,email,amount\n1,ann@example.com,10.00\n2,bob@example.com,20.50\n"
BAD = "order_id,email,amount\n3,cy@example.com,abc\n4,di@example.com,1.00\n5,ed@example.com\n"


def wait_for(look: Callable[[], T], patience: float = PATIENCE) -> T:
    """The first true answer of `look`; fails when there is none in time."""
    deadline = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s in vain; the last answer was {found!r}")
        time.sleep(0.02)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Product:
    """One triaged in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "triaged.toml"
        self.inbox = folder / "inbox"
        self.inbox.mkdir(exist_ok=True)
        self.log = folder / "log.jsonl"
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE)

    def configure(self, pipelines: str, server: str = "") -> None:
        """Writes the configuration file."""
        self.config.write_text(SERVER.format(port=self.port) + server + pipelines)

    def configure_orders(self, every: str = "200ms", more: str = "") -> None:
        """An ingestion of orders that looks for files all the time."""
        self.configure(ORDERS.format(every=every) + more)

    def command(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs one of the product's commands to its end."""
        return subprocess.run(
            [sys.executable, "-m", "daemon", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )

    def launch(self, **options: Any) -> subprocess.Popen[bytes]:
        """Starts the daemon without waiting for it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "daemon", "serve", "--config", str(self.config)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                **options,
            )
        return self.process

    def start(self, **options: Any) -> None:
        """Starts the daemon and waits till it answers."""
        self.launch(**options)
        wait_for(self.answers)

    def answers(self) -> bool:
        """Whether the daemon serves; fails when it has ended."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended: {self.log.read_text()[-2000:]}")
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON at `path`."""
        answer = self.http.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        """What a command answers."""
        answer = self.http.post(path, json=body) if body is not None else self.http.post(path)
        assert answer.is_success, answer.text
        return answer.json()

    def failures(self, **filters: Any) -> list[dict[str, Any]]:
        """All failures that match, over all pages."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.get(
                "/api/processing/failures",
                limit=100,
                **filters,
                **({"cursor": cursor} if cursor else {}),
            )
            found += page["failures"]
            cursor = page["next_cursor"]
            if cursor is None:
                assert page["total_failures"] == len(found)
                return found

    def metrics(self) -> dict[str, float]:
        """Every sample of the scrape by name and labels as they are written."""
        text = self.http.get("/metrics").text
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    def drop(self, name: str, content: str | bytes) -> Path:
        """Puts a file into the inbox, whole at once."""
        file = self.inbox / name
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.part")
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(file)
        return file

    def file(self, path: str, source: str = "orders") -> dict[str, Any] | None:
        """What the API says of a tracked file."""
        found = self.get(f"/api/ingestions/{source}/files", q=path)["files"]
        return next((file for file in found if file["path"] == path), None)

    def wait_for_file(
        self, path: str, *statuses: str, source: str = "orders", since: str = ""
    ) -> dict[str, Any]:
        """Waits till a file has one of the statuses (tried after `since`) and its run has ended."""

        def look() -> dict[str, Any] | None:
            file = self.file(path, source)
            ready = file is not None and file["last_attempt"] > since
            return file if ready and (not statuses or file["status"] in statuses) else None

        found = wait_for(look)
        wait_for(lambda: self.get(f"/api/runs/{found['run_id']}")["end_time"])
        return found

    def wait_until_idle(self) -> None:
        """Waits till no run has its turn, or waits for it."""

        def idle() -> bool:
            pipelines = self.get("/api/pipelines")["pipelines"]
            return not any(one["running"] or one["queued"]["count"] for one in pipelines)

        wait_for(idle)

    def pause(self, pipeline: str) -> None:
        """Pauses a pipeline, and waits till what has begun has ended: what is read then stays so."""
        self.post(f"/api/pipelines/{pipeline}/pause")
        self.wait_until_idle()

    def stop(self) -> int:
        """Asks the daemon to end and returns its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def warehouse(self, sql: str) -> list[tuple[Any, ...]]:
        """Asks the database that the tables go to, while no cycle has it open."""
        import duckdb

        def ask() -> list[list[tuple[Any, ...]]]:
            try:
                with duckdb.connect(
                    str(self.folder / "data/warehouse.duckdb"), read_only=True
                ) as c:
                    return [c.execute(sql).fetchall()]
            except duckdb.IOException:
                return []

        return wait_for(ask)[0]
