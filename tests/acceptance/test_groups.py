"""Failure groups as people work with them, on the running product (requirements F, U6)."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import Any

import pytest

from tests.support.product import Product, wait_for

GROUPS = "/api/failures/groups"
WORK = """
def work(run):
    run.step("processing", "working")
    for letter in "abc":
        run.fail(letter, f"frobnicator {letter * 3} is 'out of oil'")
        run.fail(f"{letter}2", f"gearbox {letter * 3} is stuck at 17")
"""
PIPELINES = '[pipelines.plant]\nrun = "plant:work"\n'


@pytest.fixture
def plant(product: Product) -> Product:
    """A pipeline that fails for six causes whenever it is asked to run."""
    (product.folder / "plant.py").write_text(WORK)
    product.configure(PIPELINES)
    product.start()
    run(product)
    return product


def run(product: Product) -> None:
    """One more run, to its end."""

    def ended() -> int:
        runs = product.get("/api/runs", limit=100)["runs"]
        return sum(one["end_time"] is not None for one in runs)

    before = ended()
    product.post("/api/pipelines/plant/run")
    wait_for(lambda: ended() > before)


def restart(product: Product) -> None:
    product.kill()
    product.start()


def command(product: Product, *arguments: str) -> Any:
    """What `triaged groups` answers, as JSON."""
    done = product.command("groups", *arguments, "--url", product.url, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shown(product: Product) -> dict[str, tuple[int, str]]:
    """Groups with count and state, after API, CSV and command line were found to agree on them."""
    listed = product.get(GROUPS, limit=100)["groups"]
    by_api = {group["failure_group"]: (group["count"], group["state"]) for group in listed}
    done = product.command("failures", "--groups", "--json", "--limit", "99", "--url", product.url)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {g["failure_group"]: (g["count"], g["state"]) for g in lines} == by_api
    counts = {group: count for group, (count, _) in by_api.items()}
    exported = product.http.get("/api/export/failures.csv").text
    rows = csv.DictReader(io.StringIO(exported))
    assert Counter(row["failure_group"] for row in rows) == counts
    for group, count in counts.items():
        assert len(product.failures(failure_group=group)) == count
        text = product.http.get("/api/export/failures.csv", params={"failure_group": group}).text
        assert len(list(csv.DictReader(io.StringIO(text)))) == count
    return by_api


def named(product: Product, *words: str) -> list[str]:
    """The groups whose message holds one of some words each."""
    listed = product.get(GROUPS, limit=100)["groups"]
    return [
        next(group["failure_group"] for group in listed if word in group["message"])
        for word in words
    ]


@pytest.mark.requirement("F3", "U6")
def test_a_group_is_resolved_regresses_and_is_merged_and_split_for_good(plant: Product) -> None:
    assert Counter(shown(plant).values()) == {(1, "open"): 6}
    oil, stuck, other = named(plant, "frobnicator aaa", "gearbox aaa", "gearbox bbb")

    # Resolved on the command line; it stays so through kill -9, and has regressed once it fails.
    resolved = command(plant, "resolve", oil, "--note", "oiled by joe@example.com")
    assert (resolved["state"], resolved["decision"]["note"]) == ("resolved", "oiled by [email]")
    restart(plant)
    assert shown(plant)[oil] == (1, "resolved")
    run(plant)
    assert shown(plant)[oil] == (2, "regressed")
    table = plant.command("failures", "--groups", "--state", "regressed", "--url", plant.url).stdout
    assert oil in table
    assert "regressed" in table

    # What is merged stays one group, also for what fails after a restart.
    merged = plant.post(f"{GROUPS}/merge", {"failure_groups": [other], "into": stuck})
    assert (merged["failure_group"], merged["count"]) == (stuck, 4)
    restart(plant)
    run(plant)
    assert shown(plant)[stuck] == (6, "open")
    assert command(plant, "show", other)["failure_group"] == stuck

    # What is split off is a group of its own, and so is what fails later.
    split = command(plant, "split", stuck, "--text", "bbb")["failure_group"]
    restart(plant)
    run(plant)
    found = shown(plant)
    assert (found[stuck], found[split]) == ((4, "open"), (4, "open"))

    # Ignoring ends the work on a group; a split is undone by a merge, a merge by unmerge.
    assert command(plant, "ignore", split, "--for", "7d")["state"] == "ignored"
    command(plant, "merge", oil, split)
    run(plant)
    assert shown(plant)[oil] == (10, "regressed")
    assert command(plant, "unmerge", split)["failure_groups"] == [split]
    assert shown(plant)[split] == (5, "ignored")
    assert sum(count for count, _ in shown(plant).values()) == 30
    log = plant.log.read_text()
    assert "joe@example.com" not in log
    assert '"event":"group_decided"' in log.replace(" ", "")


@pytest.mark.requirement("X4")
def test_the_command_line_says_why_a_decision_is_refused(plant: Product) -> None:
    (stuck,) = named(plant, "gearbox aaa")
    for arguments, words in (
        (("resolve", "nothing"), "no failure group of that id"),
        (("unmerge", stuck), "nothing was merged"),
        (("split", stuck, "--text", "no such text"), "no message in the group holds this text"),
        (("ignore", stuck, "--for", "soon"), "expected a duration"),
        (("resolve", stuck, "--as-of", "2999-01-01"), "as_of: expected a time"),
    ):
        done = plant.command("groups", *arguments, "--url", plant.url)
        assert done.returncode != 0
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert shown(plant)[stuck] == (1, "open")
