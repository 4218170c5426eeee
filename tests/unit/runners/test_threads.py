"""Runs in threads keep to the contract."""

from __future__ import annotations

import pytest

from daemon.runners.runner import Workers
from tests.unit.runners.contract import RunnerContract


class TestThreads(RunnerContract):
    mode = "thread"

    @pytest.fixture
    def elsewhere(self) -> dict[str, Workers]:
        return {}
