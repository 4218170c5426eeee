"""The bundled example, started as `make run` starts it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.support.example import Example
from tests.support.product import PATIENCE, Product, wait_for


@pytest.fixture
def example(product: Product) -> Example:
    example = Example(product)
    example.start()
    return example


def mail_server_listens(example: Example) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", example.mail_port)) == 0


@pytest.mark.requirement("X1", "S2", "F3")
def test_a_newcomer_sees_a_refused_login_at_once_and_mends_it(
    product: Product, example: Example
) -> None:
    (failure,) = wait_for(lambda: product.failures(pipeline="mail"))
    assert (failure["source"], failure["error_category"]) == ("billing", "authentication")
    assert "password" in failure["suggested_action"]

    def statuses() -> set[str]:
        return {row["status"] for row in product.get("/api/runs", source="support")["runs"]}

    wait_for(lambda: "success" in statuses())
    new_password = Path(example.folder, "mail", "billing.password")
    new_password.write_text("the-new-password\n")
    wait_for(lambda: product.failures(pipeline="mail")[0]["status"] == "resolved")
    assert product.stop() == 0
    wait_for(lambda: not mail_server_listens(example))


@pytest.mark.requirement("X1")
def test_the_mail_server_ends_with_the_daemon_however_it_ends(
    product: Product, example: Example
) -> None:
    wait_for(lambda: mail_server_listens(example))
    assert product.process is not None
    os.kill(product.process.pid, signal.SIGKILL)
    product.process.wait(PATIENCE)
    wait_for(lambda: not mail_server_listens(example))
