"""Header rules decide what a message is; those of the user come first, and wrong ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.errors import ConfigError
from daemon.pipelines.mail.categories import USER_PRIORITY, HeaderRules
from daemon.pipelines.mail.category_files import load_category_rules, parse_category_rules
from daemon.pipelines.mail.headers import Headers

BUNDLED = HeaderRules(load_category_rules())


def decided(rules: HeaderRules, *fields: str) -> tuple[str, str] | None:
    """Category and rule of a message with these header lines."""
    raw = "".join(f"{field}\r\n" for field in fields)
    rule = rules.match(Headers.parse(raw.encode()))
    return None if rule is None else (rule.category, rule.name)


def own(text: str) -> HeaderRules:
    return HeaderRules(parse_category_rules(text, "mail_categories.toml"))


@pytest.mark.requirement("S2")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["Auto-Submitted: auto-replied"], ("automated", "auto_submitted")),
        (["Auto-Submitted: auto-generated; x=no"], ("automated", "auto_submitted")),
        (["Auto-Submitted: notable"], ("automated", "auto_submitted")),
        (["Auto-Submitted: No"], None),
        (["Auto-Submitted: no (really)"], None),
        (["List-Id: <x.example.com>"], ("newsletter", "list_id")),
        (["List-Unsubscribe: <https://x.example>"], ("newsletter", "list_unsubscribe")),
        (["Precedence: BULK"], ("newsletter", "precedence")),
        (["Precedence: first-class"], None),
        (["From: LinkedIn <news@e.linkedin.com>"], ("social", "social_network")),
        (["From: x@notlinkedin.com"], None),
        (["In-Reply-To: <1@example.com>"], ("conversation", "in_reply_to")),
        (["References: <1@example.com>"], ("conversation", "references")),
        (["Subject: hello", "From: ann@example.com"], None),
        ([], None),
    ],
)
def test_bundled_rules_know_what_programs_and_lists_send(
    fields: list[str], expected: tuple[str, str] | None
) -> None:
    assert decided(BUNDLED, *fields) == expected


def test_programs_come_before_lists_before_senders_before_conversations() -> None:
    fields = [
        "Auto-Submitted: auto-generated",
        "List-Id: <x>",
        "From: x@linkedin.com",
        "In-Reply-To: <1>",
    ]
    order = []
    while fields:
        found = decided(BUNDLED, *fields)
        assert found is not None
        order.append(found[0])
        fields.pop(0)
    assert order == ["automated", "newsletter", "social", "conversation"]


def test_a_rule_matches_when_all_conditions_hold_for_any_of_their_values() -> None:
    rules = own("""
        [[rule]]
        name = "invoices"
        category = "finance"
        sender_domains = ["billing.example.com", "example.org"]
        headers = [
            { header = "subject", contains = ["Invoice", "Rechnung"] },
            { header = "Precedence", present = false },
        ]
        [[rule]]
        name = "orders"
        category = "shop"
        headers = [{ header = "Subject", matches = ['order #\\d+', '^re: order'], not_matches = ["test"] }]
        [[rule]]
        name = "exact"
        category = "exact"
        headers = [{ header = "Subject", equals = ["Daily Report"] }]
    """)
    invoice = ["From: a@x.billing.example.com", "Subject: Ihre RECHNUNG"]
    assert decided(rules, *invoice) == ("finance", "invoices")
    assert decided(rules, *invoice, "Precedence: bulk") is None
    assert decided(rules, "From: a@example.net", "Subject: invoice") is None
    assert decided(rules, "Subject: Your Order #12") == ("shop", "orders")
    assert decided(rules, "Subject: test order #12") is None
    assert decided(rules, "From: a@example.com") is None
    assert decided(rules, "Subject: daily report") == ("exact", "exact")
    assert decided(rules, "Subject: daily report!") is None


def test_rules_of_the_user_are_added_or_take_the_place_of_bundled_ones(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("""
        [[rule]]
        name = "list_id"
        category = "lists"
        priority = 83
        headers = [{ header = "List-Id" }]
        [[rule]]
        name = "boss"
        category = "urgent"
        sender_domains = ["boss.example"]
    """)
    rules = HeaderRules(load_category_rules(file))
    assert decided(rules, "List-Id: <x>") == ("lists", "list_id")
    assert decided(rules, "List-Id: <x>", "From: a@boss.example") == ("urgent", "boss")
    assert rules.rules[0].priority == USER_PRIORITY


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("[[rule]]\nname = 1\ncategory = 'a'", "rule[1].name", "expected"),
        ("[[rule]]\nname = 'x'", "rule[1].category", "missing"),
        ("[[rule]]\nname = 'x'\ncategory = 'a b'\nsender_domains=['x.de']", "rule[1].category", "a b"),
        ("[[rule]]\nname = 'x'\ncategory = 'a'", "rule[1]", "no condition"),
        ("[[rule]]\nname = 'own'\ncategory = 'a'\nsender_domains=['x.de']", "rule[1].name", "reserved"),
        ("[[rule]]\nname='x'\ncategory='a'\nlabel='\\\\Deleted'\nsender_domains=['x.de']", "rule[1].label", "label"),
        ("[[rule]]\nname='x'\ncategory='a'\nlabel=\"a\\n\"\nsender_domains=['x.de']", "rule[1].label", "label"),
        ("[[rule]]\nname='x'\ncategory='a'\nsender_domains=['a@x.de']", "rule[1].sender_domains[0]", "domain"),
        ("[[rule]]\nname='x'\ncategory='a'\nheaders=[{header='X-Spam'}]", "rule[1].headers[0].header", "not fetched"),
        ("[[rule]]\nname='x'\ncategory='a'\nheaders=[{header='Subject', matches=['(']}]", "rule[1].headers[0].matches", "("),
        ("[[rule]]\nname='x'\ncategory='a'\nheaders=[{header='Subject', matches=['(?=a)']}]", "rule[1].headers[0].matches", "(?="),
        ("[[rule]]\nname='x'\ncategory='a'\nheaders=[{header='Subject', equals=['a'], present=false}]", "rule[1].headers[0]", "not to be present"),
        ("rules = []", "rules", "not known"),
        ("[[rule]]\nname='x'\ncolour='red'\ncategory='a'\nsender_domains=['x.de']", "rule[1].colour", "unknown"),
        ("= 1", "", "not valid TOML"),
        ("rule = 1", "rule", "tables"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_its_place(text: str, place: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_category_rules(text, "mine.toml")
    (problem,) = caught.value.problems
    assert problem.where == (f"mine.toml: {place}" if place else "mine.toml")
    assert why in problem.expected


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = "[[rule]]\nname='x'\n[[rule]]\nname='y'\ncategory='a'\n[[rule]]\nname='y'\ncategory='a'\nsender_domains=['x.de']\n[[rule]]\nname='y'\ncategory='a'\nsender_domains=['x.de']"
    with pytest.raises(ConfigError) as caught:
        parse_category_rules(text, "m")
    assert [p.where for p in caught.value.problems] == [
        "m: rule[1].category",
        "m: rule[2]",
        "m: rule[3].name",
        "m: rule[4].name",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read"):
        load_category_rules(tmp_path / "gone.toml")
