"""What all tests share: skips that count, and a running product to try."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product import Product


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where CI is set a skipped test is a failed one: nothing passes by not being run."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not accept: {report.longrepr}"
    return report


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """A triaged of its own, not started yet; killed afterwards if it still runs."""
    product = Product(tmp_path)
    yield product
    product.kill()
