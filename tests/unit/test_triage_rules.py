"""Rules are data: every mistake is named by its place, and users add and override."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.errors import ConfigError
from daemon.triage import Triage, describe
from daemon.triage.rule_files import load_rules, parse_rules
from daemon.triage.rules import Example, Rule, by_standing
from daemon.triage.taxonomy import Category, RetryStrategy


def rule(name: str, **values: object) -> Rule:
    given = {"category": Category.REJECTED, "user_message": "x", "suggested_action": "y", **values}
    return Rule(name=name, **given)


@pytest.mark.requirement("F4")
def test_every_mistake_is_reported_at_once_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        """
        [[rule]]
        name = "twice"
        category = "nope"
        user_message = "m"
        bogus = 1
        [[rule]]
        name = "twice"
        category = "resource"
        user_message = "about {row}"
        suggested_action = "a"
        patterns = ["(open", "ahead(?=x)", ".*"]
        errno = ["EWHAT"]
        strategy = "linear"
        [[rule]]
        name = "idle"
        category = "resource"
        user_message = "m"
        suggested_action = "a"
        """
    )
    with pytest.raises(ConfigError) as caught:
        Triage.load(file)
    places = [problem.where for problem in caught.value.problems]
    assert places == [
        "mine.toml: rule[1] 'twice'.category",
        "mine.toml: rule[1] 'twice'.suggested_action",
        "mine.toml: rule[1] 'twice'.bogus",
        "mine.toml: rule[2] 'twice'.patterns",
        "mine.toml: rule[2] 'twice'.patterns",
        "mine.toml: rule[2] 'twice'.patterns",
        "mine.toml: rule[2] 'twice'.errno",
        "mine.toml: rule[2] 'twice'.user_message",
        "mine.toml: rule[2] 'twice'.strategy",
        "mine.toml: rule[2] 'twice'.name",
        "mine.toml: rule[3] 'idle'.patterns",
    ]
    assert "authentication" in caught.value.problems[0].expected


@pytest.mark.parametrize("content", ["not toml", "rule = 5", "[rules]\n"])
def test_a_file_that_is_no_rule_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        Triage.load(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Triage.load(tmp_path / "none.toml")


@pytest.mark.requirement("F4")
def test_a_rule_of_the_user_is_added_and_one_of_the_same_name_overrides(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        """
        [[rule]]
        name = "disk_full"
        category = "resource"
        errno = ["ENOSPC"]
        user_message = "Ours."
        suggested_action = "Call us."
        [[rule]]
        name = "flux"
        category = "service_unavailable"
        patterns = ["flux capacitor"]
        user_message = "It is out of flux."
        suggested_action = "Wait."
        """
    )
    triage = Triage.load(file)
    full = triage.classify(describe(OSError(28, "No space left on device")), "ingest")
    assert (full.category, full.user_message) == (Category.RESOURCE, "Ours.")
    assert triage.classify(describe("no such file: the Flux Capacitor"), "ingest").name == "flux"


def test_sorting_leaves_the_callers_list_alone() -> None:
    rules = [rule("low", priority=1, patterns=("x",)), rule("high", priority=9, patterns=("x",))]
    before = list(rules)
    assert [sorted_.name for sorted_ in by_standing(rules)] == ["high", "low"]
    Triage(rules)
    assert rules == before


def test_facts_come_before_text_and_fallbacks_last() -> None:
    rules = [
        rule("last", priority=99, fallback=True, http_status=("4xx",)),
        rule("text", priority=98, patterns=("x",)),
        rule("facts", priority=0, http_status=(404,)),
    ]
    assert [each.name for each in by_standing(rules)] == ["facts", "text", "last"]


def test_a_strategy_follows_from_the_category_unless_the_rule_says_otherwise() -> None:
    assert rule("a", category=Category.RATE_LIMIT).waiting is RetryStrategy.EXPONENTIAL
    assert rule("b", category=Category.RATE_LIMIT, retryable=False).waiting is RetryStrategy.NONE
    chosen = rule("c", category=Category.RATE_LIMIT, strategy=RetryStrategy.LINEAR)
    assert chosen.waiting is RetryStrategy.LINEAR


def test_bundled_rules_have_names_of_their_own_and_stay_below_the_users() -> None:
    rules = load_rules()
    assert len({each.name for each in rules}) == len(rules) > 80
    assert [each.name for each in rules if not 0 <= each.priority <= 90] == []


def test_each_bundled_rule_answers_its_own_examples() -> None:
    triage, wrong = Triage.load(), []
    for each in load_rules():
        for given in each.examples:
            example = Example(message=given) if isinstance(given, str) else given
            pipeline = example.pipeline or (*each.pipelines, "own")[0]
            error = describe(example.message, exception_type=example.exception)
            if (found := triage.classify(error, pipeline).name) != each.name:
                wrong.append(f"{each.name}: {found} answers {example.message!r}")
    assert not wrong


def test_advice_is_made_of_sentences() -> None:
    for each in load_rules():
        for sentence in (each.user_message, each.suggested_action):
            assert sentence[0].isupper() or sentence.startswith("{column}"), each.name
            assert sentence.endswith("."), each.name
            assert "something went wrong" not in sentence.lower()


def test_a_status_class_stands_for_all_its_statuses() -> None:
    (only,) = parse_rules(
        '[[rule]]\nname="s"\ncategory="rejected"\nuser_message="m"\nsuggested_action="a"\n'
        'http_status=["5xx", 429]',
        "f.toml",
    )
    assert set(only.http_statuses()) == {429, *range(500, 600)}
