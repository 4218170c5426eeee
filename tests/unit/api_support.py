"""A daemon with its API in this process, over a real store, and something for it to show."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from daemon.clock import Clock
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
from daemon.taxonomy import Trigger

ADDRESS = "Support@Example.com"
READ_KEY, OPERATE_KEY, ADMIN_KEY = "read-" + "r" * 20, "operate-" + "o" * 20, "admin-" + "a" * 20
KEYS = {"read": READ_KEY, "operate": OPERATE_KEY, "admin": ADMIN_KEY}
"""A key of each role."""

CONFIG = """
[pipelines.ingest]
[pipelines.ingest.sources.orders]
files = "inbox/*.csv"
table = "orders"
settle = "1ms"
columns = { id = "BIGINT", amount = "BIGINT" }
[pipelines.mailbox]
run = "tests.unit.api_support:flaky"
[pipelines.mailbox.sources.support]
email_address = "Support@Example.com"
[pipelines.mailbox.sources.sales]
[pipelines.patient]
run = "tests.unit.api_support:patient"
"""

WITH_KEYS = (
    """
[[server.keys]]
name = "dashboard"
role = "read"
key_env = "READ_KEY"
[[server.keys]]
name = "on-call"
role = "operate"
key_env = "OPERATE_KEY"
[[server.keys]]
name = "boss"
role = "admin"
key_env = "ADMIN_KEY"
"""
    + CONFIG
)

may_go_on = threading.Event()
"""What a run of the patient pipeline waits for."""


def flaky(run: Any) -> None:
    """A pipeline of which one item succeeds and two fail."""
    run.step("connecting", "connecting to the server")
    run.progress(1, 3)
    run.succeed("first")
    run.fail("second", ConnectionRefusedError(111, "Connection refused"))
    run.fail("third", "AUTHENTICATIONFAILED Invalid credentials for bob@example.com")


def patient(run: Any) -> None:
    """A pipeline that runs until it may go on."""
    run.step("processing", "waiting for the test")
    run.progress(4, 10)
    may_go_on.wait(20)


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """What `condition` gives once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
    return found


class Served(NamedTuple):
    """A daemon and a client of its API."""

    daemon: Daemon
    client: TestClient[Litestar]

    def run(self, pipeline: str) -> None:
        """One cycle of a pipeline, carried out here and now."""
        registered = self.daemon.catalog.pipeline(pipeline)
        self.daemon.cycles.run(registered, registered.sources.values(), Trigger.MANUAL)

    def get(self, path: str, /, **parameters: Any) -> Any:
        """The JSON that a GET answers with."""
        response = self.client.get(path, params=parameters)
        assert response.status_code == 200, response.text
        return response.json()

    def problem(self, status: int, path: str, /, **request: Any) -> dict[str, Any]:
        """The problem that a request is refused with."""
        method = request.pop("method", "GET")
        response = self.client.request(method, path, **request)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = response.json()
        assert problem["status"] == status
        return problem


@contextmanager
def serving(folder: Path, config: str = CONFIG, clock: Clock | None = None) -> Iterator[Served]:
    """A daemon whose configuration, data and input are in `folder`. It runs nothing by itself."""
    may_go_on.clear()
    file = folder / "triaged.toml"
    file.write_text(config)
    environ = {"READ_KEY": READ_KEY, "OPERATE_KEY": OPERATE_KEY, "ADMIN_KEY": ADMIN_KEY}
    daemon = Daemon(load_settings(file, environ), clock)
    daemon.start(schedule=False)
    try:
        with TestClient(create_app(daemon.offered), base_url="http://127.0.0.1:8080") as client:
            yield Served(daemon, client)
    finally:
        may_go_on.set()
        daemon.stop(5)


def put_files(folder: Path, **contents: str) -> None:
    """Input for the ingestion: a good and a bad file, or those given by name."""
    inbox = folder / "inbox"
    inbox.mkdir(exist_ok=True)
    files = contents or {"good": "id,amount\n1,10\n", "bad": "id,amount\n1,10\n2,many\n"}
    for name, text in files.items():
        (inbox / f"{name}.csv").write_text(text)
