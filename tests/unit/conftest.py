"""Fixtures of the unit tests."""

from __future__ import annotations

import pytest

from daemon.pipelines.ingest import load


@pytest.fixture(params=["small", "large"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read as small ones are, and again as large ones are."""
    if request.param == "large":
        monkeypatch.setattr(load, "_SMALL", -1)
