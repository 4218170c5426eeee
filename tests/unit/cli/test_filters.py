"""Times as people give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from daemon.cli.filters import moment
from daemon.errors import ConfigError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("90m", NOW - timedelta(minutes=90)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-11-20T08:00Z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T08:00+02:00", datetime(2026, 11, 20, 6, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20).astimezone()),
    ],
)
def test_a_time_is_a_moment_or_how_long_ago(text, meant):
    assert moment("--since", text, NOW) == meant


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("text", ["yesterday", "", "-2h", "2026-13-01", "99999999d"])
def test_anything_else_is_refused_with_what_was_expected(text):
    with pytest.raises(ConfigError, match="--since: expected a time such as"):
        moment("--since", text, NOW)
