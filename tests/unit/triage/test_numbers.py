"""Messages that differ in their digits alone are understood once, and each as if it were the first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon.taxonomy import Category
from daemon.triage import describe
from daemon.triage.matching.classifier import Classifier, searched_text
from daemon.triage.matching.conditions import NO_FACTS
from daemon.triage.matching.numbers import relaxed, shape
from daemon.triage.matching.patterns import search_set
from daemon.triage.rules.files import load_rules
from daemon.triage.rules.rule import Rule

CORPORA = sorted(Path("tests/corpus").glob("*.jsonl"))
CLASSIFIER = Classifier(load_rules())

pieces = st.sampled_from(
    [
        *(
            "4",
            "42",
            "0",
            "9{2}",
            "1?",
            "a",
            "b",
            " ",
            "-",
            "[45]",
            "[1-9]",
            "[^4]",
            "[0-5]",
            "[a4]",
        ),
        *("[0-9]", r"\d", r"\d{2,3}", r"\D", r"\w", ".", r"\x34", r"\x{39}", r"\064", r"\Q4.2\E"),
        *(
            "[[:digit:]]",
            "[[:alpha:]4]",
            r"\pN",
            r"[\d4]",
            r"[\x34]",
            r"[^\d]",
            r"\b",
            "^",
            "$",
            r"\.",
        ),
        *("(?P<p1>4)", "(?:5|50)", "[!-5]", "(?i)", "[/-:]", r"[\]4]", "[]4]"),
    ]
)
expressions = st.recursive(
    pieces,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda found: f"({'|'.join(found)})"),
        st.tuples(inner, st.sampled_from(["?", "*", "{1,2}"])).map(
            lambda found: f"(?:{found[0]}){found[1]}"
        ),
    ),
    max_leaves=6,
)
texts = st.text("0123459ab -.\n", max_size=10)


def compiled(expression: str) -> re2.Set | None:
    try:
        return search_set(expression)
    except re2.error:  # a name is used twice
        return None


@settings(max_examples=1000, deadline=None)
@example(expression="a 0 b", some=["a 4 b"])
@example(expression="[0]", some=["4"])
@given(expression=expressions, some=st.lists(texts, min_size=1, max_size=8))
def test_what_matches_a_text_matches_its_shape_once_it_is_relaxed(
    expression: str, some: list[str]
) -> None:
    if (alone := compiled(expression)) is None:
        return
    form = relaxed(expression)
    loose = search_set(expression if form is None else form)
    for text in some:
        matches = alone.Match(text) is not None
        may = loose.Match(shape(text)) is not None
        assert may or not matches
        assert may == matches or form is not None


def rule(name: str, *patterns: str) -> Rule:
    return Rule(
        name=name,
        category=Category.REJECTED,
        user_message="m",
        suggested_action="a",
        patterns=patterns,
    )


@settings(max_examples=200, deadline=None)
@given(
    patterns=st.lists(expressions, min_size=1, max_size=5),
    some=st.lists(texts, min_size=1, max_size=6),
)
def test_what_was_seen_before_never_changes_an_answer(patterns: list[str], some: list[str]) -> None:
    rules = [rule(f"r{n}", pattern) for n, pattern in enumerate(patterns) if compiled(pattern)]
    warm = Classifier(rules)
    for text in some * 3:
        error = describe(text)
        assert warm.classify(error, "own") is Classifier(rules).classify(error, "own")


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda path: path.stem)
def test_real_messages_with_other_digits_are_answered_as_if_they_were_the_first(
    corpus: Path,
) -> None:
    turned = str.maketrans("0123456789", "4910237865")
    for line in corpus.read_text("utf-8").splitlines()[:300]:
        message = json.loads(line)["message"]
        for text in (message, message.translate(turned), message, message.translate(turned)):
            known = CLASSIFIER.match_text(text, "own")
            assert known is CLASSIFIER._search(searched_text(text), NO_FACTS, "own")


@pytest.mark.parametrize(
    ("code", "other"),
    [
        ("ORA-00942: table or view", "ORA-01017: table or view"),
        ("ERROR 1045 (28000): access", "ERROR 1205 (40001): access"),
        ("HRESULT: 0x80070005", "HRESULT: 0x80070057"),
        ("SQLSTATE 42501: no", "SQLSTATE 40001: no"),
        ("COM error -2147024891 there", "COM error -2147024784 there"),
        ("HTTP Error 503: busy", "HTTP Error 401: busy"),
        ("[Errno 13] while writing", "[Errno 28] while writing"),
        ("E11000 duplicate", "E12000 duplicate"),
    ],
)
def test_a_code_says_the_same_after_others_of_its_length(code: str, other: str) -> None:
    first = Classifier(load_rules())
    alone = [first.classify(describe(text), "own") for text in (code, other)]
    for _ in range(3):
        again = [first.classify(describe(text), "own") for text in (other, code)]
        assert again == alone[::-1]


def test_a_stream_of_messages_that_differ_in_numbers_is_searched_twice() -> None:
    classifier = Classifier(load_rules())
    for row in range(1000, 1500):
        classifier.classify(describe(f"row {row}: connection refused by peer {row * 7}"), "own")
    known = classifier._remembered.cache_info()
    assert known.currsize <= 4
    assert known.hits > 490


def test_what_is_remembered_is_bounded() -> None:
    classifier = Classifier([rule("r", "x")])
    for number in range(1000):
        for _ in range(2):
            classifier.classify(describe(f"x {'y' * (number % 700)} {'z' * (number // 700)}"), "a")
    assert classifier._remembered.cache_info().currsize <= 256
    size = classifier._remembered.cache_info().currsize
    classifier.classify(describe("x" * 5000), "a")
    classifier.classify(describe("x" * 5000), "a")
    assert classifier._remembered.cache_info().currsize == size
