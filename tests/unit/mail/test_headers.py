"""Headers are read as people see them, and whatever a sender puts there never fails."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.pipelines.mail.categories import HeaderRules
from daemon.pipelines.mail.category_files import load_category_rules
from daemon.pipelines.mail.headers import Headers

RULES = HeaderRules(load_category_rules())


def test_fields_are_found_in_any_case_and_unfolded() -> None:
    headers = Headers.parse(b"Subject: one\r\n two\r\nLIST-ID: <x.example.com>\r\n\r\n")
    assert (headers["subject"], headers["List-Id"]) == ("one two", "<x.example.com>")
    assert "list-unsubscribe" not in headers
    assert headers.get("References") is None
    assert sorted(headers) == ["list-id", "subject"]


def test_several_fields_of_one_name_are_joined() -> None:
    assert Headers.parse(b"To: a@example.com\r\nTo: b@example.com\r\n")["To"] == (
        "a@example.com, b@example.com"
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?iso-8859-1?q?Gr=FC=DFe?= und =?utf-8?b?4pyT?=", "Grüße und ✓"),
        ("Grüße".encode(), "Grüße"),
        (b"=?no-such-charset?q?abc=C3=BC?=", "abcü"),
        (b"=?utf-8?b?!!!not base64!!!?=", "=?utf-8?b?!!!not base64!!!?="),
        (b"=?utf-7?q?+2AA-?=", "?"),
        (b"a\x00b\x1b[31mc", "a b [31mc"),
    ],
)
def test_encoded_words_are_decoded_as_far_as_they_can_be(raw: bytes, text: str) -> None:
    assert Headers.parse(b"Subject: " + raw + b"\r\n\r\n")["Subject"] == text


@pytest.mark.parametrize(
    ("field", "domain"),
    [
        (b"From: Ann <ann@Mail.Example.COM>", "mail.example.com"),
        (b"From: ann@example.com", "example.com"),
        (b'From: "a@b.example" <ann@example.org>', "example.org"),
        (b"Sender: robot@example.net", "example.net"),
        (b"From: nobody", None),
        (b"From: " + b"(" * 900, None),
        (b"From: =?utf-8?q?Ann?= <ann@example.com>, bob@example.org", "example.com"),
    ],
)
def test_the_domain_of_the_sender_is_what_the_sender_claims(
    field: bytes, domain: str | None
) -> None:
    assert Headers.parse(field + b"\r\n\r\n").sender_domain == domain


_FIELD = st.sampled_from(["From", "Sender", "Subject", "References", "Auto-Submitted", "\xff", ""])
_VALUE = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda t: t.encode("utf-8", "surrogatepass")),
    st.builds(
        lambda charset, how, text: f"=?{charset}?{how}?{text}?=".encode("utf-8", "replace"),
        st.sampled_from(["utf-8", "utf-16", "utf-7", "unicode_escape", "idna", "punycode", "hex"]),
        st.sampled_from("qQbBx"),
        st.text(max_size=60),
    ),
    st.sampled_from([b"(" * 3000, b"<" * 3000, b'"' * 3001, b"@" * 3000, b",:;" * 1000]),
)


@given(st.one_of(st.binary(max_size=2000), st.lists(st.tuples(_FIELD, _VALUE), max_size=8)))
@example(b"From: \xf0\x9f\n\n")
@example(b"\x00: \r\r\n:\n")
def test_arbitrary_headers_never_raise_and_always_have_a_category_or_none(
    given_: bytes | list[tuple[str, bytes]],
) -> None:
    raw = given_
    if isinstance(raw, list):
        raw = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in raw)
    headers = Headers.parse(raw)
    for value in headers.values():
        assert value.isprintable()
        msgspec.json.encode(value)  # halves of characters would make this raise
    RULES.match(headers)
