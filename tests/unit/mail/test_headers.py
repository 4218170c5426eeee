"""Headers are read as people see them, and whatever a sender puts there never fails."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.pipelines.mail.categories import HeaderRules
from daemon.pipelines.mail.category_files import load_category_rules, parse_category_rules
from daemon.pipelines.mail.errors import HeadersTooLong
from daemon.pipelines.mail.headers import Headers
from daemon.pipelines.mail.message import LONGEST_HEADERS

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


@pytest.mark.requirement("S2")
@pytest.mark.parametrize(
    "before",
    [
        b"Subject: one\rtwo\r\n",
        b"Subject: one\r\r\n",
        b"Subject: one\r\n \r\n \t two\r\n",
        b"Subject:\r\n",
        b"no field at all\r\n",
        b">From ann Mon Nov 30\r\n",
        b"no field: with a blank: in it\r\n",
        b": nothing before the colon\r\n",
        b" folded, but nothing before it\r\n",
        b"Subject: \x00\xff=?utf-8?q?\r\n",
        b"Subject: only a line feed\n",
        b"",
    ],
)
@pytest.mark.parametrize("name", [b"List-Id:", b"list-id :", b"LIST-ID\t:", b"LiSt-Id \t :\r\n\t"])
def test_what_decides_is_found_whatever_stands_before_it_and_however_it_is_written(
    before: bytes, name: bytes
) -> None:
    headers = Headers.parse(before + name + b" <x.example.com>\r\nPrecedence: bulk\r\n\r\n")
    assert headers["List-Id"] == "<x.example.com>"
    assert headers["Precedence"] == "bulk"


def test_a_line_break_of_another_kind_begins_no_field() -> None:
    """Servers see one field here, and so does triaged: a bare CR begins none."""
    headers = Headers.parse(b"Subject: one\rList-Id: <x>\x0bPrecedence: bulk\x85\r\n\r\n")
    assert list(headers) == ["subject"]
    assert headers["Subject"].startswith("one List-Id: <x> Precedence: bulk")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Rechnung für Grüße".encode("latin-1"), "Rechnung für Grüße"),
        ("10 € “now”".encode("cp1252"), "10 € “now”"),
        ("10 € “now”".encode(), "10 € “now”"),
        (b"=?utf-8?q?ok?= =?utf-8?b?Z3V0?=", "okgut"),
        (b"=?utf-8?q?split=C3?=\r\n =?utf-8?q?=A9?=", "splité"),
        (b"=?utf-8?q?never ends", "=?utf-8?q?never ends"),
        (b"=?utf-8?b?Z3V0", "=?utf-8?b?Z3V0"),
        (b"=?UTF-8?Q?a_b?=", "a b"),
    ],
)
def test_letters_beyond_ascii_are_read_as_mail_programs_do(raw: bytes, text: str) -> None:
    assert Headers.parse(b"Subject: " + raw + b"\r\n\r\n")["Subject"] == text


LONG = b"To: " + b",\r\n ".join(b"p%d@example.com" % n for n in range(5000)) + b"\r\n"
CUT = LONG[:LONGEST_HEADERS]


@pytest.mark.requirement("S2")
def test_what_was_not_read_whole_is_neither_absent_nor_all_there_is() -> None:
    headers = Headers.parse(b"From: a@example.com\r\n\r\n", CUT)
    assert headers["From"] == "a@example.com"
    assert "List-Id" not in headers
    assert "To" in headers
    for unknown in ("References", "Cc", "To"):
        with pytest.raises(HeadersTooLong):
            headers.get(unknown)
    with pytest.raises(HeadersTooLong):
        RULES.match(headers)  # there may be References, or none


def test_what_decides_before_the_cut_does_decide() -> None:
    rule = RULES.match(Headers.parse(b"List-Id: <x>\r\n\r\n", CUT))
    assert rule is not None
    assert rule.name == "list_id"
    cut_off = Headers.parse(b"List-Id: <x>\r\nSubject: " + b"x" * LONGEST_HEADERS)
    with pytest.raises(HeadersTooLong):
        RULES.match(cut_off)  # Auto-Submitted comes first, and may follow


def test_headers_as_long_as_may_be_are_whole_when_they_end() -> None:
    end = b"List-Id: <x>\r\n\r\n"
    filled = b"Subject: " + b"x" * (LONGEST_HEADERS - len(end) - 11) + b"\r\n" + end
    assert len(filled) == LONGEST_HEADERS
    headers = Headers.parse(filled)
    assert headers["List-Id"] == "<x>"
    assert "Precedence" not in headers


def test_of_a_server_that_sends_all_fields_each_time_each_is_read_once() -> None:
    raw = b"From: a@example.com\r\nTo: b@example.com\r\nReferences: <1>\r\n\r\n"
    headers = Headers.parse(raw, raw)
    assert dict(headers) == {"from": "a@example.com", "to": "b@example.com", "references": "<1>"}


@pytest.mark.parametrize(
    ("condition", "certain"),
    [
        ('contains = ["p7@example.com"]', True),
        ('contains = ["p4999@example.com"]', None),
        ('matches = ["^p0@"]', True),
        ('matches = ["p4999"]', None),
        ('not_matches = ["p7@"]', False),
        ('not_matches = ["p4999"]', None),
        ('equals = ["p0@example.com"]', None),
        ("present = true", True),
        ("present = false", False),
    ],
)
def test_a_condition_on_what_was_cut_off_holds_only_where_that_is_certain(
    condition: str, certain: bool | None
) -> None:
    text = f"[[rule]]\nname='x'\ncategory='a'\nheaders=[{{header='To', {condition}}}]"
    rules = HeaderRules(parse_category_rules(text, "mine.toml"))
    headers = Headers.parse(b"\r\n", CUT)
    if certain is None:
        with pytest.raises(HeadersTooLong):
            rules.match(headers)
    else:
        assert (rules.match(headers) is not None) == certain


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
