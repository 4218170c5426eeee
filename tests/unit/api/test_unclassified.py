"""What no rule recognised, over HTTP and by command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import main
from daemon.triage import Triage, describe
from daemon.triage.rules.files import parse_rules
from tests.unit.api_support import READ_KEY, WITH_KEYS, Served, serving

PATH = "/api/failures/unclassified"
CONFIG = """
[pipelines.odd]
run = "tests.unit.api.test_unclassified:odd"
[pipelines.odd.sources.north]
[pipelines.odd.sources.south]
[pipelines.other]
run = "tests.unit.api.test_unclassified:other"
"""


def odd(run: Any) -> None:
    """A pipeline that fails in ways that no rule knows, and in one that is known."""
    for number in (1, 2):
        run.fail(
            f"a{number}", f'the frobnicator {number} of bob@example.com went "sideways"\x1b[1m'
        )
    run.fail("b", ValueError("a snark was a boojum"))
    run.fail("c", ConnectionRefusedError(111, "Connection refused"))


def other(run: Any) -> None:
    """Another."""
    run.fail("a", "the jabberwock came whiffling")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("unclassified"), CONFIG) as served:
        served.run("odd")
        served.run("other")
        yield served


@pytest.mark.requirement("F6")
def test_groups_come_by_count_with_their_sources_and_a_sample(served: Served) -> None:
    answer = served.get(PATH)
    assert [group["count"] for group in answer["groups"]] == [4, 2, 1]
    assert (answer["total_groups"], answer["next_offset"]) == (3, None)
    first = answer["groups"][0]
    assert first["sources"] == ["north", "south"]
    assert first["message"] == "the frobnicator <n> of [email] went <value>"
    assert first["sample"] == 'the frobnicator 2 of [email] went "sideways"'
    assert first["first_seen"] <= first["last_seen"]
    assert answer["groups"][1]["exception_type"] == "ValueError"


@pytest.mark.requirement("F6", "F4")
def test_each_comes_with_a_rule_that_recognises_it(served: Served) -> None:
    groups = served.get(PATH)["groups"]
    rules = parse_rules("\n".join(group["proposed_rule"] for group in groups), "rules.toml")
    triage = Triage(rules)
    for group, rule in zip(groups, rules, strict=True):
        error = describe(group["sample"], exception_type=group["exception_type"])
        assert triage.classify(error, group["pipeline"]).name == rule.name


def test_groups_come_in_pages_and_may_be_of_one_pipeline_or_time(served: Served) -> None:
    first = served.get(PATH, limit=2)
    assert (len(first["groups"]), first["next_offset"]) == (2, 2)
    second = served.get(PATH, limit=2, offset=2)
    assert [group["count"] for group in second["groups"]] == [1]
    assert served.get(PATH, pipeline="other")["total_groups"] == 1
    assert served.get(PATH, until="2001-01-01T00:00:00Z")["groups"] == []
    assert served.get(PATH, since="2001-01-01T00:00:00Z")["total_groups"] == 3


def test_a_bad_parameter_is_named(served: Served) -> None:
    problem = served.problem(400, f"{PATH}?limit=0&category=x")
    assert {mistake["parameter"] for mistake in problem["errors"]} == {"limit", "category"}


def test_a_key_that_may_read_is_needed_and_enough(tmp_path: Path) -> None:
    with serving(tmp_path, WITH_KEYS) as served:
        served.problem(401, PATH)
        headers = {"Authorization": f"Bearer {READ_KEY}"}
        assert served.client.get(PATH, headers=headers).json()["groups"] == []


@pytest.mark.requirement("F6")
def test_a_failure_says_why_it_is_retried_or_not(served: Served) -> None:
    reasons = {
        failure["item"]: failure["retry_reason"]
        for failure in served.get("/api/failures", source="north")["failures"]
    }
    assert reasons["c"] == "retrying may help: the network may be back"
    assert reasons["b"].startswith("it is not known whether retrying helps")


@pytest.mark.requirement("F4", "F6")
def test_the_command_gives_rules_that_pass_their_test(tmp_path: Path, capsys: Any) -> None:
    with serving(tmp_path, CONFIG) as served:
        served.run("odd")
    config = ["--config", str(tmp_path / "triaged.toml")]
    assert main(["unclassified", *config]) == 0
    shown = capsys.readouterr().out
    assert "odd/north, south" in shown
    assert 'patterns = ["the frobnicator .{1,20} of .{1,200} went"]' in shown
    assert main(["unclassified", "--toml", *config]) == 0
    rules = tmp_path / "rules.toml"
    rules.write_text(capsys.readouterr().out)
    assert main(["rules", "test", str(rules)]) == 0
    capsys.readouterr()
    assert main(["unclassified", "--json", "--limit", "1", *config]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["count"] == 4
