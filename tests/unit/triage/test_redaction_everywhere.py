"""Every kind of secret in every notation, with other text around it: no piece of it is left."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.logs import JsonFormatter
from daemon.triage import Triage, describe
from daemon.triage.masking.redaction import mask
from tests.support.secrets import BARE, QUOTING, difficult, named, pem, shaped

NOISE = (
    "",
    "error: ",
    "x=1 ",
    "at 10:31 (",
    "\n",
    "\r\n\t",
    "password, ",
    "Traceback:\n  ",
    "name='o''k' ",
)
CORPORA = [
    file
    for file in sorted((Path(__file__).parents[2] / "corpus").glob("*.jsonl"))
    if file.stem != "heldout"
]
SEEDS = ("one", "two", "three")


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("secret", list(shaped("unit")), ids=lambda secret: secret.kind)
@pytest.mark.parametrize(
    "around", ["{}", "failed with {} at x", "a={}", "'{}'", "\\n{}\\n", "%20{}", "({})", "x:\n{}\n"]
)
def test_a_secret_of_known_shape_is_masked_wherever_it_stands(secret, around) -> None:
    masked = mask(around.format(secret.text))
    assert not secret.leaks(masked)
    assert mask(masked) == masked


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("wrapper", [*QUOTING, *BARE])
def test_a_secret_is_masked_in_every_notation_whatever_stands_around(wrapper) -> None:
    wrap = {**QUOTING, **BARE}[wrapper]
    for seed in SEEDS:
        for secret in named(seed):
            for before in NOISE[: 1 if wrapper in BARE else None]:
                for after in ("", "\nand more", " 'x'")[: 2 if wrapper in BARE else 3]:
                    masked = mask(before + wrap(secret.text) + after)
                    assert not secret.leaks(masked), masked


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("wrapper", QUOTING)
def test_notations_with_quotes_hold_passwords_of_any_characters(wrapper) -> None:
    for secret in difficult("unit"):
        masked = mask(QUOTING[wrapper](secret.text))
        assert not secret.leaks(masked), masked


@pytest.mark.parametrize(
    "kind", ["RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
)
def test_private_keys_are_masked_whole_cut_and_escaped(kind) -> None:
    key = pem("unit", kind)
    for text in (
        key.text,
        key.text[:-60],
        json.dumps(key.text),
        repr(key.text.encode()),
        quote(key.text),
    ):
        assert not key.leaks(mask(text))


@pytest.mark.parametrize(
    "text",
    [
        '\\"jane doe\\"@example.com', "jane%2Edoe%40example%2Ecom", "jane\\\\u0040example.com",
        "jane&commat;example.com", "=?utf-8?B?amFuZUBleGFtcGxlLmNvbQ==?=", "=?utf-8?Q?jane=40example.com?=",
        "=?utf-8?Q?jane=40exam?=\r\n =?utf-8?Q?ple.com?=", '("Jane Doe" NIL "jane" "example.com")',
        "jane at example dot com", "jane [at] example [dot] com", "jane(work)@example.com",
    ],
)  # fmt: skip
def test_addresses_in_disguise_are_masked(text) -> None:
    assert "jane" not in mask(f"to {text}: no").lower()
    assert "[email]" in mask(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("card 4111 1111 1111 1111 declined", "card [card] declined"),
        ("3782-822463-10005", "[card]"),
        ("to GB29 NWBK 6016 1331 9268 19 today", "to [iban] today"),
        ("order 4111111111111112", "order 4111111111111112"),
        ("0.4111111111111111", "0.4111111111111111"),
        ("DE88370400440532013000", "DE88370400440532013000"),
    ],
)
def test_card_numbers_and_ibans_are_told_by_their_check_digits(text, masked) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Access denied for user 'root'@'localhost' (using password: YES)", "password: must not be blank",
        '{"password": ["This field is required."]}', "KeyError: 'password'", 'secret "db-pass" not found',
        'column "password" does not exist', "SELECT password, email FROM t", "password_file: /run/secrets/x",
        "Unexpected token: ']'", "GET /v1?state=open&page=2&code=500", "git clone git@github.com:x/y",
        "commit 3fa9c0d1e2b3a4958677f0e1d2c3b4a5968778f0", "id 550e8400-e29b-41d4-a716-446655440000",
        "SQLSTATE 28P01 at 10.0.0.1:5432", "Request ID: 4XYZ1234ABCD5678", 'Bearer realm="Service"',
    ],
)  # fmt: skip
def test_what_triage_and_people_need_stays(text) -> None:
    assert mask(text) == text


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: corpus.stem)
def test_real_messages_are_recognised_by_the_same_rule_after_masking(corpus) -> None:
    triage = Triage.load()
    for line in corpus.read_text().splitlines():
        record = json.loads(line)
        facts = {"exception_type": record["exception"]}
        before, after = (
            triage.classify(describe(text, **facts), record["pipeline"]).name
            for text in (record["message"], mask(record["message"]))
        )
        assert after == before, record["id"]


@given(st.binary(max_size=400), st.text(alphabet=st.characters(), max_size=200))
def test_masking_survives_any_bytes_and_is_deterministic(raw, text) -> None:
    for given_text in (
        raw.decode("utf-8", "replace"),
        raw.decode("utf-8", "surrogateescape"),
        text,
    ):
        assert mask(given_text) == mask(given_text)
        assert mask(mask(given_text)) == mask(given_text)


def test_a_logged_field_is_masked_by_its_name() -> None:
    record = logging.makeLogRecord(
        {"msg": "x", "password": "plainword", "card": 4111111111111111, "rows": 5}
    )
    fields = JsonFormatter(mask).fields(record)
    assert (fields["password"], fields["card"], fields["rows"]) == ("***", "[card]", 5)
