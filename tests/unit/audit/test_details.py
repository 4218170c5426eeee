"""What the audit trail keeps of a request: no secrets, nobody's address, and not much."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.audit.details import MOST, details_of
from daemon.triage import Triage
from daemon.triage.masking.masker import MASK

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(), inner, max_size=40),
    max_leaves=60,
)


def kept(body: Any) -> Any:
    found = details_of(json.dumps(body).encode(), Triage.mask)
    return None if found is None else json.loads(found)


@given(ANY_JSON)
def test_any_body_comes_to_a_short_text(body: Any) -> None:
    found = details_of(json.dumps(body).encode(), Triage.mask)
    assert found is not None
    assert len(found) <= MOST


@pytest.mark.requirement("F6", "U6")
def test_secrets_and_addresses_are_masked() -> None:
    body = {
        "username": "support@example.com",
        "password": "hunter2 and more",
        "oauth": {"client_secret": ["a", "b"], "refresh_token": "1//0x"},
        "note": "token=abcdef0123456789abcdef see bob@example.com",
        "api_key": None,
    }
    found = json.dumps(kept(body))
    for secret in ("hunter2", "@example", "1//0x", '"a"', "abcdef0123"):
        assert secret not in found
    assert kept(body)["api_key"] is None


def test_long_things_are_cut() -> None:
    body = {"failure_ids": list(range(10_000)), "note": "n" * 5000}
    assert kept(body)["failure_ids"][-2:] == [19, "… 9980 more"]
    assert len(kept(body)["note"]) == 200
    assert kept({str(n): n for n in range(30)})["…"] == "10 more"
    assert kept([[[[["deep"]]]]]) == [[[["…"]]]]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"a=1&b=2"])
def test_what_is_no_json_is_not_kept(body: bytes) -> None:
    assert details_of(body, Triage.mask) is None


def test_where_secrets_are_given_a_mistyped_field_gives_none_away():
    body = b'{"host": "imap.example.net", "pasword": "open sesame", "oauth": {"refresh": "abc"}}'
    found = json.loads(details_of(body, Triage.mask, {"host"}) or "")
    assert found == {"host": "imap.example.net", "pasword": MASK, "oauth": MASK}
