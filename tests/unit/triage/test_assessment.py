"""What is stored of an error: masked, bounded, with advice that names nothing from outside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.events import ErrorInfo
from daemon.triage import Triage, describe
from daemon.truncation import truncate

TRIAGE = Triage.load()


@pytest.mark.requirement("F6")
def test_nothing_secret_is_stored() -> None:
    def log_in(password: str) -> None:
        raise ValueError(f"login for jane@example.com with password={password} failed")

    try:
        log_in(password="hunter2")
    except ValueError as error:
        found = TRIAGE.assess(describe(error), pipeline="own", step="processing")
    stored = repr(found)
    assert "hunter2" not in stored
    assert "jane" not in stored
    assert found.full_text is not None
    assert "Traceback" in found.full_text


@pytest.mark.requirement("F6")
def test_no_half_of_a_secret_stays_where_the_message_is_cut() -> None:
    for padding in range(2020, 2060):
        info = describe("x" * padding + " jane.roe@example.com password=hunter2")
        found = TRIAGE.assess(info, pipeline="own", step="processing")
        assert "jane" not in found.message
        assert "hunter" not in found.message


def test_a_long_message_is_cut_at_a_character_and_kept_in_full() -> None:
    found = TRIAGE.assess(describe("ü " * 2000), pipeline="own", step="processing")
    assert len(found.message.encode()) <= 2048
    assert found.message.endswith("…")
    assert found.full_text == "ü " * 2000


def test_a_huge_message_is_bounded() -> None:
    found = TRIAGE.assess(describe("word " * 10**6), pipeline="own", step="processing")
    assert found.full_text is not None
    assert len(found.full_text.encode()) <= 64 * 1024


def test_a_short_message_needs_no_full_text() -> None:
    assert TRIAGE.assess(describe("short"), pipeline="own", step="x").full_text is None


@given(st.text(), st.integers(3, 40))
def test_truncated_text_is_a_prefix_within_its_limit(text: str, limit: int) -> None:
    text = "".join(character for character in text if not 0xD800 <= ord(character) <= 0xDFFF)
    cut = truncate(text, limit)
    assert len(cut.encode()) <= limit
    assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1]))


def test_advice_names_the_column() -> None:
    info = describe("x", error_class="CAST")
    named = TRIAGE.assess(info, pipeline="ingest", step="processing", column="amount")
    assert 'column "amount"' in named.user_message
    unnamed = TRIAGE.assess(info, pipeline="ingest", step="processing")
    assert "a column" in unnamed.user_message


def test_a_column_named_like_an_address_is_masked() -> None:
    info = describe("x", error_class="CAST")
    found = TRIAGE.assess(
        info, pipeline="ingest", step="processing", column="jane@example.com\n{x}"
    )
    assert "jane" not in found.user_message
    assert "\n" not in found.user_message


def test_surrogates_and_nul_do_not_reach_the_store() -> None:
    found = TRIAGE.assess(ErrorInfo(message="a\x00b\ud800c"), pipeline="own", step="x")
    assert found.message == "abc"


@given(
    found=st.lists(
        st.tuples(st.sampled_from(["a 1", "a 2", "Connection refused", "x" * 5000]), st.booleans()),
        max_size=12,
    )
)
def test_an_error_seen_before_gets_the_same_assessment_as_one_that_was_not(
    found: list[tuple[str, bool]],
) -> None:
    for text, raised in found:
        error = describe(ConnectionRefusedError(text) if raised else text)
        known = TRIAGE.assess(error, pipeline="mail", step="connecting")
        assert known == TRIAGE._assess(error, "mail", "connecting", None)
        elsewhere = TRIAGE.assess(error, pipeline="mail", step="fetching")
        assert elsewhere.failure_group != known.failure_group
