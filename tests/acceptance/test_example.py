"""The bundled example, started as `make run` starts it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.product import PATIENCE, ROOT, Product, free_port, wait_for

MAIL_PORT = free_port()


@pytest.fixture
def example(product: Product) -> Product:
    """A copy of it at a port of its own, so that the data of a `make run` stays as it is."""
    folder = product.folder / "examples"
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns("data"))
    config = folder / "triaged.toml"
    text = config.read_text().replace(":8080", f":{product.port}")
    config.write_text(text.replace("port = 10143", f"port = {MAIL_PORT}"))
    product.config = config
    with product.log.open("ab") as log:
        product.process = subprocess.Popen(
            [sys.executable, str(folder / "run.py"), "--port", str(MAIL_PORT)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
    wait_for(product.answers)
    return product


def mail_server_listens() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", MAIL_PORT)) == 0


@pytest.mark.requirement("X1", "S2", "F3")
def test_a_newcomer_sees_a_refused_login_at_once_and_mends_it(example: Product) -> None:
    (failure,) = wait_for(lambda: example.failures(pipeline="mail"))
    assert (failure["source"], failure["error_category"]) == ("billing", "authentication")
    assert "password" in failure["suggested_action"]

    def statuses() -> set[str]:
        return {row["status"] for row in example.get("/api/runs", source="support")["runs"]}

    wait_for(lambda: "success" in statuses())
    new_password = Path(example.config.parent, "mail", "billing.password")
    new_password.write_text("the-new-password\n")
    wait_for(lambda: example.failures(pipeline="mail")[0]["status"] == "resolved")
    assert example.stop() == 0
    wait_for(lambda: not mail_server_listens())


@pytest.mark.requirement("X1")
def test_the_mail_server_ends_with_the_daemon_however_it_ends(example: Product) -> None:
    wait_for(mail_server_listens)
    assert example.process is not None
    os.kill(example.process.pid, signal.SIGKILL)
    example.process.wait(PATIENCE)
    wait_for(lambda: not mail_server_listens())
