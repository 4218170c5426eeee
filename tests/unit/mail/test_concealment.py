"""A server may repeat a secret in any notation: nothing of it is left in what is raised."""

from __future__ import annotations

import base64
import html
import json
import quopri
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.pipelines.mail.account import MailAccount, OAuth, Password
from daemon.pipelines.mail.concealment import Concealment
from daemon.pipelines.mail.secret_text import SecretText
from tests.unit.mail_support import account

PASSWORDS = [
    "kitten Blue 42",
    'pa"ss\\word-9',
    "päßwörd-77",
    "q{5}w-E77",
    "ab%5cd+e=f g",
    "日本語パスワード",
    "a\\\\b\\",
    "tab\there",
    "key🔑key",
    "it's <b>&amp;</b>",
]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


NOTATIONS = {
    "as it is": str,
    "quoted for IMAP": quoted,
    "as JSON": json.dumps,
    "as JSON of what is quoted": lambda text: json.dumps(quoted(text)),
    "as JSON within JSON": lambda text: json.dumps(json.dumps(text)),
    "as JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False),
    "percent-encoded": urllib.parse.quote,
    "percent-encoded in lower case": lambda text: urllib.parse.quote(text).replace("%C3", "%c3"),
    "percent-encoded twice": lambda text: urllib.parse.quote(urllib.parse.quote(text)),
    "percent-encoded when quoted": lambda text: urllib.parse.quote(quoted(text)),
    "every byte percent-encoded": lambda text: "".join(f"%{b:02X}" for b in text.encode()),
    "as a form": urllib.parse.quote_plus,
    "quoted-printable": lambda text: quopri.encodestring(text.encode(), quotetabs=True).decode(),
    "as Q-encoded word": lambda text: quopri.encodestring(text.encode(), header=True).decode(),
    "as bytes of Python": lambda text: repr(text.encode()),
    "as text of Python": ascii,
    "as HTML": html.escape,
    "as Latin-1": lambda text: text.encode().decode("latin-1"),
    "in hex": lambda text: text.encode().hex(),
    "in upper hex": lambda text: text.encode().hex().upper(),
    "in hex with colons": lambda text: text.encode().hex(":"),
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in URL-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "in base64 after one byte": lambda text: base64.b64encode(b"\0" + text.encode()).decode(),
    "in base64 after two bytes": lambda text: base64.b64encode(b"u\0" + text.encode()).decode(),
    "in base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "in lines of base64": lambda text: base64.encodebytes(b"x" * 51 + text.encode()).decode(),
    "with whitespace as one blank": lambda text: " ".join(text.split()),
    "in capitals": str.upper,
}


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_secret_is_found_in_whatever_notation_it_is_repeated(
    password: str, notation: str
) -> None:
    repeated = NOTATIONS[notation](password)
    found = SecretText(password).conceal(f"cannot log in ann with {repeated} (code 7)")
    left = found.removeprefix("cannot log in ann with ").removesuffix(" (code 7)")
    assert "***" in left
    before = base64.encodebytes(b"x" * 51).decode()
    pieces = {repeated[n : n + 6] for n in range(len(repeated) - 5)}
    assert [piece for piece in pieces if piece in left and piece not in before] == []


@pytest.mark.requirement("F6")
@given(
    password=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4, max_size=30),
    notation=st.sampled_from(["as it is", "quoted for IMAP", "as JSON", "percent-encoded"]),
)
def test_no_password_of_four_characters_gets_through(password: str, notation: str) -> None:
    repeated = NOTATIONS[notation](password)
    assert repeated not in SecretText(password).conceal(f"bad: {repeated} .")


@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_text_that_nearly_repeats_a_long_secret_is_soon_looked_through(notation: str) -> None:
    """One that could be read in two ways at each character would take longer than the universe has."""
    text = NOTATIONS[notation]("user=ann\1 auth=Bäarer\t" + "u75x75=75%75 " * 30)
    secret = SecretText("user=ann\1 auth=Bäarer\t" + "u75x75=75%75 " * 30 + "!")
    found = secret.conceal(text + "?" + "\\" * 500)
    assert found.endswith("\\")


@pytest.mark.requirement("F6")
def test_a_short_secret_is_hidden_where_it_stands_by_itself_and_words_stay_words() -> None:
    secret = SecretText("Zq7")
    assert secret.conceal('LOGIN ann "Zq7"') == 'LOGIN ann "***"'
    assert secret.conceal("login%20%22Zq7%22") == "login%20%22***%22"
    assert secret.conceal(json.dumps(['"Zq7"'])) == r'["\"***\""]'
    assert SecretText("in").conceal("in a line within") == "*** a line within"


@pytest.mark.requirement("F6")
def test_a_text_that_was_cut_ends_in_no_beginning_of_the_secret() -> None:
    assert SecretText("kitten Blue 42").conceal("bad: kitten Bl") == "bad: ***"
    assert SecretText("kitten Blue 42").conceal("bad: kitt") == "bad: ***"


@pytest.mark.requirement("F6")
def test_what_is_said_to_log_in_is_hidden_as_a_whole_however_short_the_password_is() -> None:
    mailbox = MailAccount("work", account(), Password("Zq7"))
    said = base64.b64encode(f"\0{mailbox.source.username}\0Zq7".encode()).decode()
    error, cause = ValueError(f"invalid base64: {said}"), OSError(5, f"got {said}".encode())
    error.__cause__ = cause
    with pytest.raises(ValueError, match="invalid base64"), Concealment(mailbox):
        raise error
    assert error.args == ("invalid base64: ***",)
    assert cause.args == (5, "got ***")


@pytest.mark.requirement("F6")
def test_all_secrets_of_oauth_are_hidden_and_those_that_turn_up_on_the_way() -> None:
    credentials = OAuth(
        token_url="https://example.com",
        client_id="id",
        client_secret="the client's own",
        refresh_token="1//refresh",
        scope=None,
    )
    error = ValueError("1//refresh, the%20client%27s%20own, ya29.token")
    concealment = Concealment(MailAccount("work", account(), credentials))
    concealment.add("ya29.token")
    with pytest.raises(ValueError, match="\\*"), concealment:
        raise error
    assert error.args == ("***, ***, ***",)
