"""A proposed rule is valid as it stands and recognises the message that it was made from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tomli
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon.triage import Triage, describe
from daemon.triage.masking.redaction import mask
from daemon.triage.rules.files import load_rules, parse_rules
from daemon.triage.rules.proposals import propose, toml_string
from daemon.triage.rules.rule import Rule

CORPORA = sorted(Path("tests/corpus").glob("*.jsonl"))
PIECES = [
    "'",
    '"',
    "\\",
    "{}",
    "'''",
    "\n",
    "[[rule]]",
    "# ",
    "12",
    "a@b.example",
    "\u0391\u03a3",
    "\u017f",
    "\x85",
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=8).map("".join)


def proposed(message: str, exception: str | None = None) -> Rule:
    text = propose(message, exception, "mail")
    assert text is not None
    (rule,) = parse_rules(text, "proposed.toml")
    return rule


@pytest.mark.requirement("F4", "F6")
@settings(max_examples=60, deadline=None)
@given(text=texts, exception=st.none() | st.text(min_size=1, max_size=30))
@example(text="it's \\d+ of {column}", exception=None)
@example(text="\u0130stanbul \u0391\u03a35\u0391", exception="x'\"\n")
@example(text=" \n\t", exception=None)
def test_a_proposed_rule_recognises_any_message_that_says_anything(
    text: str, exception: str | None
) -> None:
    message = mask(text)
    if propose(message, exception, "mail") is None:
        assert not exception
        assert not message.strip()
        return
    rule = proposed(message, exception)
    error = describe(message, exception_type=exception)
    assert Triage([rule]).classify(error, "mail").name == rule.name
    (stated,) = rule.examples
    assert (stated if isinstance(stated, str) else stated.message) == message


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda path: path.stem)
def test_real_messages_get_rules_that_recognise_them(corpus: Path) -> None:
    missed = 0
    for line in corpus.read_text("utf-8").splitlines()[:25]:
        message = mask(json.loads(line)["message"])
        rule = proposed(message)
        missed += Triage([rule]).classify(describe(message), "mail").name != rule.name
    assert missed == 0


@given(st.text())
def test_any_text_becomes_a_string_of_one_line(text: str) -> None:
    written = toml_string(text)
    assert tomli.loads(f"key = {written}") == {"key": text}
    assert written.isprintable()


def test_a_proposed_rule_recognises_what_differs_only_in_what_varies() -> None:
    rule = proposed("worker 12 of 'north' could not settle order 7f3a9c0d11 for [email]")
    triage = Triage([rule])
    for text in (
        "worker 7 of 'the far south' could not settle order 00aa11bb22 for bob@example.com",
        '2026-01-31 Worker 1234 of "x" could not settle order 1 for a@b.example, again',
    ):
        assert triage.classify(describe(text), "mail").name == rule.name
    assert triage.classify(describe("worker 12 of 'north' settled"), "mail").name == "unmatched"


def test_a_few_letters_are_looked_for_as_a_whole_line() -> None:
    triage = Triage([rule := proposed("no 5")])
    assert triage.classify(describe("no 5"), "mail").name == rule.name
    assert triage.classify(describe("there is no 5 here"), "mail").name == "unmatched"


def test_names_of_different_messages_differ_and_are_no_bundled_ones() -> None:
    messages = ["the frob is sad", "the frob is sad about it all", "the frob is sad about us"]
    names = {proposed(message).name for message in messages}
    assert len(names) == 3
    assert names.isdisjoint(rule.name for rule in load_rules())
