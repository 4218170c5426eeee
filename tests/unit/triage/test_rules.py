"""Rules are data: every mistake is named by its place, and users add and override."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.errors import ConfigError
from daemon.taxonomy import Category, RetryStrategy
from daemon.triage import Triage, describe
from daemon.triage.retry import Retry, reason
from daemon.triage.rules.examples import check_examples
from daemon.triage.rules.files import BUNDLED, load_rules, parse_rules
from daemon.triage.rules.listing import listed_rules
from daemon.triage.rules.rule import Example, Rule, by_standing


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


@pytest.mark.requirement("F4")
def test_a_users_rule_with_facts_comes_before_every_bundled_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[[rule]]\nname="zz"\ncategory="resource"\nuser_message="m"\nsuggested_action="a"\n'
        'http_status=["4xx", "5xx"]\n'
    )
    assert by_standing(load_rules(file))[0].name == "zz"


def test_each_bundled_rule_answers_its_own_examples() -> None:
    wrong = [each for each in check_examples(load_rules()) if not each.ok]
    assert wrong == []


def test_an_example_that_another_rule_answers_is_told_with_that_rule() -> None:
    examples = ("green", Example(message="", exception="ConnectionResetError"))
    first = rule("first", patterns=("green",))
    bases = rule("bases", exceptions=("ConnectionError",), examples=examples)
    wrong, right = check_examples([first, bases])
    assert (wrong.rule, wrong.answered_by, wrong.ok) == ("bases", "first", False)
    assert right.ok


def test_examples_may_carry_facts(tmp_path: Path) -> None:
    given = rule(
        "facts",
        http_status=(418,),
        errno=("ENOSPC",),
        sqlstate=("08",),
        error_class=("TEA",),
        imap_code=("TEA",),
        examples=(
            Example(
                message="",
                http_status=418,
                errno="ENOSPC",
                sqlstate="08001",
                error_class="TEA",
                imap_code="tea",
            ),
            Example(message="", http_status=418),
        ),
    )
    assert [each.ok for each in check_examples([given])] == [True, False]


def test_an_example_with_an_unknown_errno_is_a_mistake() -> None:
    text = (
        '[[rule]]\nname="s"\ncategory="rejected"\nuser_message="m"\nsuggested_action="a"\n'
        'patterns=["x"]\nexamples=[{message="x", errno="EWHAT"}]'
    )
    with pytest.raises(ConfigError, match=r"'s'\.examples: errno 'EWHAT' is not known"):
        parse_rules(text, "f.toml")


@pytest.mark.requirement("F4")
def test_a_user_disables_bundled_rules_by_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('disable = ["disk_full", "disk_full"]\n')
    assert {rule.name for rule in load_rules()} - {rule.name for rule in load_rules(file)} == {
        "disk_full"
    }


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ('disable = ["disk_full", "disk_ful"]', "mine.toml: disable[2] 'disk_ful'"),
        ("disable = [1]", "mine.toml: disable[1] 1"),
        ('disable = "disk_full"', "mine.toml: disable"),
        ('disabled = ["disk_full"]', "mine.toml: disabled"),
    ],
)
def test_a_mistake_in_what_is_disabled_is_named_by_its_place(
    tmp_path: Path, content: str, where: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_rules(file)
    assert [problem.where for problem in caught.value.problems] == [where]


def test_rules_are_listed_with_their_place_and_whether_they_count(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    advice = 'category="resource"\nuser_message="m"\nsuggested_action="a"\npatterns=["x"]\n'
    file.write_text(
        f'disable = ["http_forbidden"]\n[[rule]]\nname="disk_full"\n{advice}\n'
        f'[[ rule ]]\nname="ours"\n{advice}'
    )
    listed = listed_rules(file)
    places = {(each.rule.name, each.bundled): (each.line, each.state) for each in listed}
    assert places["disk_full", False] == (2, "active")
    assert places["ours", False] == (9, "active")
    assert places["disk_full", True][1] == "overridden"
    assert all(
        line and BUNDLED.joinpath(each.file).is_file()
        for each in listed
        if each.bundled
        for line in [each.line]
    )
    active = [each.rule for each in listed if each.state == "active"]
    assert active == by_standing(load_rules(file))


def test_where_lines_cannot_be_told_none_is_said(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[[rule]]\nname="ours"\ncategory="resource"\nsuggested_action="a"\npatterns=["x"]\n'
        "user_message='''\n[[rule]]\n'''\n"
    )
    assert [each.line for each in listed_rules(file) if not each.bundled] == [None]


@pytest.mark.requirement("F4")
def test_whether_a_retry_helps_may_be_unknown_and_then_nothing_is_retried_by_itself() -> None:
    doubtful = rule("doubtful", category=Category.CONNECTION, retryable="unknown", patterns=("x",))
    assert (doubtful.retry, doubtful.waiting) == (Retry.UNKNOWN, RetryStrategy.NONE)
    assert rule("a", category=Category.UNKNOWN).retry is Retry.UNKNOWN
    assert rule("b", category=Category.UNKNOWN, retryable=True).retry is Retry.YES
    assert rule("c", category=Category.CONNECTION).retry is Retry.YES
    found = Triage([doubtful]).assess(describe("x"), pipeline="p", step="idle")
    assert (found.retry, found.retryable) == (Retry.UNKNOWN, False)
    assert found.retry_reason.startswith("it is not known whether retrying helps")


@pytest.mark.parametrize("category", Category)
def test_each_category_says_why_it_is_retried_or_not(category: Category) -> None:
    said = {reason(category, retry) for retry in Retry}
    assert len(said) == len(Retry)


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
