"""Nothing personal or secret stays in a text, and what helps to understand it does."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon.triage.masking.redaction import clean, mask

SECRET = "hunter2Zq9"


@pytest.mark.requirement("F6")
@pytest.mark.parametrize(
    "text",
    [
        f"password={SECRET}",
        f"Password: {SECRET}",
        f"PGPASSWORD={SECRET} psql",
        f"password is '{SECRET}'",
        f"Server=db;Uid=sa;Pwd={SECRET};",
        f"host=db user=x password='{SECRET} with blanks'",
        f'{{"password": "{SECRET}", "user": "x"}}',
        f'{{"clientSecret":"a\\"{SECRET}"}}',
        rf"{{\"api_key\":\"{SECRET}\"}}",
        f"{{'access_token': '{SECRET}'}}",
        f"os.environ['API_TOKEN'] = '{SECRET}'",
        f"<Password>{SECRET}</Password>",
        f"Authorization: Bearer {SECRET}",
        f"Authorization: Basic {SECRET}==",
        f'Authorization: Digest username="x", response="{SECRET}"'.replace('"', ""),
        f"{{'Authorization': 'Bearer {SECRET}', 'Accept': '*'}}",
        f"X-Api-Key: {SECRET}",
        f"Cookie: a=b; session={SECRET}",
        f"Set-Cookie: sid={SECRET}; Path=/",
        f"sent bearer {SECRET} along",
        f"https://user:{SECRET}@example.com/x",
        f"https://{SECRET}@github.com/org/repo",
        f"postgres://u:p@/{SECRET}@db/app",
        f"https://example.com/x?page=2&access_token={SECRET}",
        f"https://maps.example.com/?key={SECRET}&q=1",
        f"https://s3.example.com/k?X-Amz-Signature={SECRET}",
        f"AccountName=x;AccountKey={SECRET}==;EndpointSuffix=y",
        f"* NO [WEBALERT https://accounts.google.com/x/{SECRET}?y] Web login required.",
        f"Please sign in: https://accounts.google.com/ContinueSignIn?scc=1&plt={SECRET}",
        f"a1 LOGIN bob {SECRET}",
        f'LOGIN "bob" "{SECRET}"',
        f"b'LOGIN bob {SECRET}'",
        f"AUTHENTICATE PLAIN {SECRET}==",
        f"AUTH LOGIN {SECRET}==",
        f"> PASS {SECRET}",
        f"mysqldump --password {SECRET} db",
        f"curl -u bob:{SECRET} https://example.com",
        f"ghp_{SECRET}{SECRET}",
        f"sk-{SECRET}{SECRET}",
        f"xoxb-1234-{SECRET}",
        f"AIza{SECRET}{SECRET}",
        f"glpat-{SECRET}",
        f"eyJhbGciOiJIUzI1NiJ9.{SECRET}.{SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET} and cut off here",
        f"pass\x00word={SECRET}",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    masked = mask(text)
    assert SECRET not in masked
    assert "***" in masked
    assert mask(masked) == masked


def test_an_aws_key_is_masked() -> None:
    assert mask("for AKIAIOSFODNN7EXAMPLE denied") == "for AKIA*** denied"


@pytest.mark.requirement("F6")
@pytest.mark.parametrize(
    "text",
    [
        "jane.doe@example.com",
        "JANE.DOE+tag@EXAMPLE.co.uk",
        "<jane.doe@example.com>:",
        "jane.doe%40example.com",
        "jane.doe%2540example.com",
        "jane.doe\\u0040example.com",
        '"jane.doe"@example.com',
        '"jane doe"@example.com',
        "Jane Doe <jd@example.com>",
        '"Jane Doe" <jd@example.com>',
        "From: jane doe <jd@example.com>",
        "jane.doe@localhost",
        "jane.doe@[192.0.2.1]",
        "jane.doe@bücher.example",
        "jàne.doe@例え.テスト",
        "o'jane.doe@example.com",
        "to=jane.doe@example.com,",
        "mailto:jane.doe@example.com?x=1",
        "/home/vmail/jane.doe@example.com/inbox",
        "bounce+jane.doe=example.com@list.example.org",
        "a" * 300 + "jane@example.com",
    ],
)
def test_addresses_are_masked(text: str) -> None:
    masked = mask(f"cannot deliver {text} now")
    assert "[email]" in masked
    assert not {"jane", "doe", "jàne", "example"} & set(
        masked.lower().replace(".", " ").replace("@", " ").split()
    )
    assert "jane" not in masked.lower()
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "password authentication failed for user",
        "Unexpected token o in JSON at position 1",
        "invalid token: unexpected end",
        "LOGIN failed.",
        "LOGIN failed for now",
        "Basic authentication is disabled",
        "max_tokens: 4096",
        "duplicate key value violates unique constraint",
        "KeyError: 'amount'",
        "lodash@4.17.21 is missing",
        "decorated with @app.route",
        "http://example.com:8080/logo@2x.png",
        "Could not convert string 'x' to INT32 in column amount",
        "two\nlines\tand a tab",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert mask(text) == text


def test_the_host_of_a_url_with_a_password_stays() -> None:
    assert mask("postgres://u:p@db.example.com:5432/x") == "postgres://***@db.example.com:5432/x"


def test_control_characters_and_terminal_sequences_are_taken_out() -> None:
    assert clean("\x1b[31mred\x1b[0m\x00 \ud800\u202etxt\x1b\x1b[0m[0m") == "red txt[0m"


PIECES = st.sampled_from(
    [
        *(
            "password",
            "token",
            "=",
            ": ",
            '"',
            "'",
            "\\",
            "@",
            "%40",
            "a",
            "b.com",
            "<",
            ">",
            " ",
            "\n",
        ),
        *(
            "://",
            "user:",
            "/",
            "[email]",
            "***",
            "Bearer ",
            "Authorization: ",
            "LOGIN ",
            "a1 ",
            "AUTH PLAIN ",
        ),
        *(
            "eyJhbGciOiJ.",
            "AKIAIOSFODNN7EXAMPLE",
            "-----BEGIN PRIVATE KEY-----",
            "-----END",
            "Jane Doe ",
        ),
        *(
            "From: ",
            "Cookie",
            "&key=",
            "?",
            ";",
            "}",
            "{",
            "]",
            "[",
            "--token ",
            "-u ",
            "x1y2z3w4v5u6",
            "==",
        ),
    ]
)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=14).map("".join) | st.text())
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask(text)
    assert mask(once) == once


@given(st.text(), st.text())
def test_an_address_is_masked_wherever_it_stands(before: str, after: str) -> None:
    assert "jane.roe" not in mask(f"{before} jane.roe@example.com {after}")


HOSTILE = [
    *("a", "a@", '"', "password=", "://a:b", "token ", "LOGIN ", "Ab ", "eyJ", "From: a", "Aa-"),
    *("%40", "'password' ", "pass: ", "key ", '\\"', "a.", "-----BEGIN PRIVATE KEY-----"),
    *("<[email]>", "x-"),
]
"""Pieces that, repeated, would take quadratic time with careless patterns."""


def test_long_hostile_texts_are_masked_in_the_end() -> None:
    program = (
        "import sys, json\nfrom daemon.triage.masking.redaction import mask\n"
        "for piece in json.loads(sys.argv[1]):\n"
        "    mask(piece * (400_000 // len(piece)) + '@')\n"
    )
    # Linear time is a few seconds for all of them; quadratic time would be an hour.
    subprocess.run([sys.executable, "-c", program, json.dumps(HOSTILE)], timeout=100, check=True)


_AROUND = [
    *(
        '"',
        "'",
        "`",
        "\\",
        '\\"',
        "password=",
        "password = '",
        'pwd: "',
        "token ",
        "key=",
        "Bearer ",
    ),
    *(
        "@",
        "a@",
        "<a@b.c>",
        "://",
        "a:b@",
        "%40",
        "%2540",
        "\U0001f389",
        "é",
        "\uff20",
        "LOGIN ",
        "AUTH ",
    ),
    *(
        "eyJ",
        "Ab ",
        "From: ",
        " at ",
        " dot ",
        "=?utf-8?Q?",
        "NIL ",
        "--password ",
        "<a b='",
        "(",
        "[",
    ),
    *(
        '{"a":',
        "=",
        ":",
        "; ",
        "\n",
        " ",
        "a.",
        "1234 ",
        "-----BEGIN PRIVATE KEY-----",
        "IDENTIFIED BY '",
    ),
]
"""What any of the patterns asks for."""


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(_AROUND), max_size=2).map("".join),
    st.lists(st.sampled_from(_AROUND), min_size=1, max_size=3).map("".join),
    st.lists(st.sampled_from(_AROUND), max_size=2).map("".join),
)
@example("", "\U0001f389", "@")
@example("", '"pwd: "', "pwa_")
@example("password = '", "\\", "$")
@example("password=", "key=", ":1 ")
@example("", '\\"LOGIN ', "")
def test_twice_the_text_takes_no_more_than_some_twice_the_work(
    before: str, piece: str, after: str
) -> None:
    def work(size: int) -> float:
        text = before + piece * (size // len(piece)) + after
        begun = time.process_time()
        mask(text)
        return time.process_time() - begun

    def growth() -> float:
        return min(work(32_768) for _ in range(2)) / max(0.002, min(work(8192) for _ in range(2)))

    # Linear is 4, quadratic 16. Other work on the machine may spoil a measurement, but not each.
    assert any(growth() < 9 for _ in range(4))
