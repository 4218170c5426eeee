"""What a text says about when to try again is obeyed; dates, attempts and bans are not taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.triage import Triage, describe
from daemon.triage.hints import LONGEST, retry_hint


@pytest.mark.requirement("F5")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Rate limit reached. Please try again in 7.5s.", 7.5),
        ("Too many requests, retry after 30 seconds", 30),
        ("Retry-After: 120", 120),
        ("Please try again in 6m12s.", 372),
        ("Please wait for 1 hour and 10 minutes", 4200),
        ("throttled, retry_after_ms: 1500", 1.5),
        ('{"retryDelay": "36s"}', 36),
        ("{'retry_after': 12}", 12),
        ("A wait of 33 seconds is required", 33),
        ("quota resets in 59 seconds", 59),
        ("retry in 250ms", 0.25),
        ("Try again later", None),
        ("Retry attempts 5 exhausted after 30 seconds", None),
        ("account locked, try again after 2 days", None),
        ("Retry after 2026-01-01", None),
        ("wait until 10:30", None),
        ("waited 30 seconds", None),
    ],
)
def test_a_pause_in_words_is_understood(text: str, seconds: float | None) -> None:
    assert retry_hint(text) == (None if seconds is None else pytest.approx(seconds))


@given(st.text("retry again wait after in 0123456789.smhd:-", max_size=60))
def test_any_text_gives_a_bounded_pause_or_none(text: str) -> None:
    found = retry_hint(text)
    assert found is None or 0 <= found <= LONGEST


def test_a_header_counts_more_than_the_text_and_neither_where_retrying_cannot_help() -> None:
    triage = Triage.load()

    def pause(text: str, **facts: object) -> float | None:
        return triage.assess(describe(text, **facts), pipeline="upload", step="writing").retry_after

    throttled = "429 Too Many Requests, retry after 30 seconds"
    assert pause(throttled) == 30
    assert pause(throttled, retry_after=5) == 5
    assert pause("No space left on device, try again in 30 seconds") is None
