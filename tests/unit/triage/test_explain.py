"""An explanation tells how an answer came about, and never another answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import events
from daemon.taxonomy import Category
from daemon.triage import Triage, describe
from daemon.triage.explain import MOST, Explanation, explain
from daemon.triage.matching.classifier import Classifier
from daemon.triage.rules.rule import Rule

TRIAGE = Triage.load()
CORPORA = sorted(Path("tests/corpus").glob("*.jsonl"))
PIECES = [
    *("invalid credentials", "rate limit", "connection refused", "timed out", "not found", "table"),
    *("disk full", "a@b.example", "password=hunter2", "\n", "{", "0x1f", "does not exist", "quota"),
]


def rule(name: str, **values: object) -> Rule:
    given = {"category": Category.REJECTED, "user_message": "x", "suggested_action": "y", **values}
    return Rule(name=name, **given)


def explained(rules: list[Rule], error: events.ErrorInfo, pipeline: str = "own") -> Explanation:
    return explain(Classifier(rules), error, pipeline)


def reasons(considered: list) -> dict[str, str]:
    return {each.rule: each.why for each in considered}


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda path: path.stem)
def test_real_messages_are_explained_with_the_rule_that_answers(corpus: Path) -> None:
    different = 0
    for line in corpus.read_text("utf-8").splitlines():
        given = json.loads(line)
        error = describe(given["message"], exception_type=given["exception"])
        matched = explain(TRIAGE.classifier, error, given["pipeline"]).matched
        answer = TRIAGE.classify(error, given["pipeline"]).name
        different += (matched.rule if matched else "unmatched") != answer
    assert different == 0


@settings(max_examples=100, deadline=None)
@given(
    message=st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=6).map(" ".join),
    status=st.none() | st.integers(400, 599),
    text=st.none() | st.sampled_from([f"Traceback \n  x\nE: {piece}\n" for piece in PIECES]),
)
def test_any_error_is_explained_with_the_rule_that_answers(
    message: str, status: int | None, text: str | None
) -> None:
    error = describe(message, http_status=status, text=text)
    found = explain(TRIAGE.classifier, error, "mail")
    answer = TRIAGE.classify(error, "mail").name
    assert (found.matched.rule if found.matched else "unmatched") == answer
    assert all(len(told) <= MOST for told in (found.lower, found.nearly, found.words_only))


@pytest.mark.requirement("F4")
def test_what_stood_lower_is_told_with_the_reason() -> None:
    rules = [
        rule("first", http_status=(404,), priority=5),
        rule("less", http_status=(404,), priority=4),
        rule("named_later", http_status=("4xx",), priority=5),
        rule("text", patterns=("gone",), priority=90),
        rule("bare", http_status=("4xx",), fallback=True, priority=90),
    ]
    found = explained(rules, describe("it is gone", http_status=404))
    assert found.matched
    assert found.matched.rule == "first"
    assert reasons(found.lower) == {
        "named_later": "its priority is the same, and its name comes later",
        "less": "its priority is 4, below 5",
        "text": "it looks at text alone, and facts come before text",
        "bare": "it is a fallback",
    }


@pytest.mark.requirement("F4")
def test_what_nearly_matched_is_told_with_what_is_missing() -> None:
    rules = [
        rule("needs_text", http_status=(404,), patterns=("teapot",)),
        rule("needs_fact", http_status=(500,), patterns=("gone",)),
        rule("elsewhere", patterns=("gone",), pipelines=("mail",)),
        rule("words", patterns=(r"gone.{0,3}forever",)),
        rule("nothing", patterns=("kettle",)),
    ]
    found = explained(rules, describe("forever and ever gone", http_status=404))
    assert found.matched is None
    assert reasons(found.nearly) == {
        "needs_text": "patterns would have to match too",
        "needs_fact": "http_status would have to match too",
        "elsewhere": "it is for mail only",
    }
    (words,) = found.words_only
    assert words.rule == "words"
    assert '"forever"' in words.why
    assert '"gone"' in words.why


def test_the_piece_that_matched_is_shown_in_its_context() -> None:
    error = describe("before the Teapot after", errno=28)
    found = explained([rule("tea", patterns=("teapot",), errno=("ENOSPC",))], error)
    assert found.matched
    shown = {each.kind: (each.condition, each.found) for each in found.matched.evidence}
    assert shown["patterns"] == ("teapot", "before the >>Teapot<< after")
    assert shown["errno"] == ("ENOSPC", None)


@pytest.mark.requirement("F6")
def test_what_matched_is_shown_masked() -> None:
    rules = [rule("tea", patterns=("teapot",)), rule("all", patterns=("pass.*pot",))]
    found = explained(rules, describe("it was password=hunter2-teapot for bob@example.com"))
    assert found.matched
    assert [each.found for each in found.matched.evidence] == [None]
    assert "hunter2" not in repr(found)
    assert "bob@example.com" not in repr(found)


def test_a_line_of_the_traceback_that_names_the_cause_is_explained() -> None:
    error = describe("it failed", text="Traceback:\n  code\nValueError: teapot\n")
    found = explained([rule("tea", patterns=("teapot",))], error)
    assert found.looked_at == "traceback"
    assert found.matched
    assert found.matched.evidence[0].found == "ValueError: >>teapot<<"


def test_a_long_match_is_cut() -> None:
    found = explained([rule("long", patterns=("a+",))], describe("a" * 10_000))
    assert found.matched
    assert len(found.matched.evidence[0].found or "") < 300
