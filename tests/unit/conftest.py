"""Fixtures of the unit tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from daemon.pipelines.ingest import load


@pytest.fixture(params=["small", "large"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read as small ones are, and again as large ones are."""
    if request.param == "large":
        monkeypatch.setattr(load, "_SMALL", -1)


@pytest.fixture(autouse=True)
def _own_modules_end_with_their_test() -> Iterator[None]:
    """What a test loads beside its configuration is nothing that another test's configuration may mean."""
    before = list(sys.path)
    yield
    if sys.path == before:
        return
    added = tuple(folder for folder in sys.path if folder not in before)
    sys.path[:] = before
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(added):
            del sys.modules[name]
