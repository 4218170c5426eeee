"""`triaged rules`: what is listed, shown and tested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.cli import main
from daemon.triage.rules.files import load_rules
from daemon.triage.rules.rule import by_standing

OURS = """
disable = ["http_forbidden"]

[[rule]]
name = "disk_full"
category = "resource"
retryable = "unknown"
errno = ["ENOSPC"]
patterns = ["disk", "quota"]
pipelines = ["nightly"]
user_message = "Ours."
suggested_action = "Call us."
examples = ["a disk", { message = "disk", errno = "ENOSPC", pipeline = "nightly" }]
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    file = tmp_path / "rules.toml"
    file.write_text(OURS)
    return str(file)


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    assert main(["rules", *words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.requirement("F4")
def test_rules_are_listed_in_the_order_in_which_they_are_considered(capsys):
    names = [line["name"] for line in listed(capsys, "list")]
    assert names == [rule.name for rule in by_standing(load_rules())]


@pytest.mark.requirement("F4")
def test_the_list_says_which_rules_are_ours_overridden_or_disabled(capsys, rules, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    lines = listed(capsys, "list", "--rules", rules)
    states = {(line["name"], line["origin"]): line["state"] for line in lines}
    assert states["disk_full", "own"] == "active"
    assert states["disk_full", "bundled"] == "overridden"
    assert states["http_forbidden", "bundled"] == "disabled"
    main(["rules", "list", "--rules", rules])
    shown = capsys.readouterr().out
    assert "rules.toml:4" in shown
    assert "overridden" in shown


def test_the_rules_of_a_configuration_are_taken_from_beside_it(capsys, rules, tmp_path):
    config = tmp_path / "triaged.toml"
    config.write_text('[triage]\nrules = "rules.toml"\n')
    lines = listed(capsys, "list", "--config", str(config))
    assert ("disk_full", "own") in {(line["name"], line["origin"]) for line in lines}


def test_a_list_can_be_of_one_category_and_one_pipeline(capsys, rules):
    lines = listed(capsys, "list", "--category", "auth")
    assert {line["category"] for line in lines} == {"authentication"}
    lines = listed(capsys, "list", "--rules", rules, "--pipeline", "mail")
    assert ("disk_full", "own") not in {(line["name"], line["origin"]) for line in lines}
    assert any(line["name"] == "disk_full" for line in lines)


def test_a_rule_is_shown_whole_beside_the_one_that_it_replaces(capsys, rules):
    lines = listed(capsys, "show", "disk_full", "--rules", rules)
    ours = next(line for line in lines if line["origin"] == "own")
    assert len(lines) == 2
    assert ours["conditions"] == {"patterns": ["disk", "quota"], "errno": ["ENOSPC"]}
    assert (ours["retry"], ours["strategy"], ours["line"]) == ("unknown", "none", 4)
    assert (ours["user_message"], ours["examples"][0]) == ("Ours.", "a disk")
    assert main(["rules", "show", "disk_full", "--rules", rules]) == 0
    words = capsys.readouterr().out
    assert "disk_full (overridden)" in words
    assert "Call us." in words
    assert "pipeline nightly, errno ENOSPC: disk" in words


def test_a_rule_that_is_not_there_is_said_with_one_that_is_like_it(capsys):
    assert main(["rules", "show", "disk_ful"]) == 1
    assert "did you mean disk_full" in capsys.readouterr().err


@pytest.mark.requirement("F4")
def test_examples_that_another_rule_answers_are_named_and_end_with_1(capsys, rules):
    assert main(["rules", "test", rules]) == 1
    said = capsys.readouterr()
    assert 'disk_full: no rule answers its example "a disk"' in said.err
    assert main(["rules", "test", "--rules", rules, "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["answered_by"] for line in lines if not line["ok"]] == ["unmatched"]


@pytest.mark.requirement("F4")
def test_the_bundled_rules_pass_their_own_test(capsys):
    assert main(["rules", "test"]) == 0
    assert capsys.readouterr().err == ""


def test_testing_a_file_with_mistakes_names_them_and_ends_with_2(capsys, tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text('disable = ["nothing"]\n[[rule]]\nname = "x"\n')
    assert main(["rules", "test", str(file)]) == 2
    errors = capsys.readouterr().err
    assert "rules.toml: disable[1] 'nothing'" in errors
    assert "rules.toml: rule[1] 'x'.category: is missing" in errors
