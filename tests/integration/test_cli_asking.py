"""What the commands show is what others take, and a name that nothing has is a mistake."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

import pytest

from tests.support.product import ROOT, Product, wait_for

JOBS = '''
"""Fails while a file is missing."""
from pathlib import Path

HERE = Path(__file__).parent

def work(run):
    for name in ("first", "second"):
        if (HERE / "fixed").exists() or (name == "first" and (HERE / "half").exists()):
            run.succeed(name)
        else:
            run.fail(name, ConnectionRefusedError(111, "Connection refused"))

def fine(run):
    run.succeed("good")
'''
PIPELINES = """
[store]
path = "data/store.duckdb"
[pipelines.shop]
run = "jobs:work"
[pipelines.shop.sources.north]
[pipelines.shop.sources.south]
enabled = false
[pipelines.fine]
run = "jobs:fine"
"""


@pytest.fixture
def product(product: Product) -> Product:
    (product.folder / "jobs.py").write_text(JOBS)
    product.configure(PIPELINES)
    assert product.command("run", "shop", "--config", str(product.config)).returncode == 1
    return product


def asked(product: Product, running: str) -> list[str]:
    """Where to ask: the store, or the daemon once it is started."""
    if running == "daemon":
        product.start()
        return ["--url", product.url]
    return ["--config", str(product.config)]


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("running", ["store", "daemon"])
def test_a_name_that_nothing_has_is_a_mistake_and_one_without_failures_is_not(
    product: Product, running: str
) -> None:
    where = asked(product, running)
    for words, said in (
        (["failures", "--pipeline", "shp"], "no pipeline 'shp'; did you mean shop?"),
        (["failures", "--pipeline", "shop", "--source", "x"], "there are: north, south"),
        (["failures", "--source", "nort", "--json"], "did you mean north?"),
        (["failures", "--group", "nothing", "--csv"], "no failure group of that id"),
        (["failures", "--run-id", "nothing"], "no such run"),
        (["failures", "--groups", "--pipeline", "x"], "no pipeline 'x'; there are: fine, shop"),
        (["groups", "list", "--source", "x"], "no source 'x'"),
        (["runs", "--source", "x"], "no source 'x'"),
        (["unclassified", "--pipeline", "x"], "no pipeline 'x'"),
    ):
        done = product.command(*words, *where)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert said in done.stderr
    for words in (["--pipeline", "fine"], ["--source", "south"], ["--source", "fine"]):
        done = product.command("failures", *words, *where)
        assert (done.returncode, done.stdout) == (0, "No failures match.\n")


@pytest.mark.requirement("X6")
@pytest.mark.parametrize("columns", ["24", "80", "200"])
def test_ids_and_groups_that_are_shown_are_whole_and_are_taken(
    product: Product, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    where = ["--config", str(product.config)]
    lines = product.command("failures", "--json", *where).stdout.splitlines()
    failures = [json.loads(line) for line in lines]
    table = product.command("failures", *where).stdout
    for failure in failures:
        assert re.search(rf"^ *{failure['id']} ", table, re.MULTILINE)
        assert failure["failure_group"] in table
    group = re.findall(r"\b[0-9a-f]{16}\b", table)[0]
    assert group in product.command("groups", "list", *where).stdout
    of_group = product.command("failures", "--group", group, "--json", *where).stdout
    assert len(of_group.splitlines()) == 2
    run_id = failures[0]["run_id"]
    if columns != "24":
        assert run_id in product.command("runs", *where).stdout
    assert product.command("failures", "--run-id", run_id, *where).returncode == 0


@pytest.mark.requirement("X6", "I2")
def test_the_table_is_of_what_is_open_and_says_how_much_else_there_is(product: Product) -> None:
    where = ["--config", str(product.config)]
    (product.folder / "half").touch()
    product.command("run", "shop", *where)
    shown = product.command("failures", *where).stdout
    assert "second" in shown
    assert "first" not in shown
    assert "1 failure.\nOpen ones only: 2 more with --status all." in shown
    every = product.command("failures", "--status", "all", *where).stdout
    assert "first" in every
    assert "3 failures." in every
    assert len(product.command("failures", "--json", *where).stdout.splitlines()) == 3
    (product.folder / "fixed").touch()
    product.command("run", "shop", *where)
    shown = product.command("failures", *where).stdout
    assert "No failures match.\nOpen ones only: 3 that are dealt with" in shown
    assert "No groups match." in product.command("groups", "list", *where).stdout
    assert "resolved" in product.command("groups", "list", "--state", "all", *where).stdout


@pytest.mark.requirement("X6")
def test_the_environment_says_where_to_look_and_the_command_line_counts_before_it(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIAGED_CONFIG", str(product.config))
    assert "north" in product.command("failures").stdout
    assert "has no mistakes" in product.command("check-config").stdout
    assert product.command("token", "list").returncode == 0
    product.start()
    assert "shop" in product.command("groups", "list").stdout
    assert product.command("retry", "--list").stdout == "No retries match.\n"
    monkeypatch.setenv("TRIAGED_URL", "http://127.0.0.1:1")
    assert product.command("failures").returncode == 5
    assert product.command("failures", "--url", product.url).returncode == 0
    assert product.command("failures", "--config", str(product.config)).returncode == 0


@pytest.mark.requirement("S9", "X6")
def test_a_running_daemon_is_asked_for_a_cycle_and_followed_to_its_end(product: Product) -> None:
    product.start()
    done = product.command("run", "shop", "--url", product.url)
    assert (done.returncode, done.stderr) == (1, "")
    assert "shop/north  failed after" in done.stdout
    assert "→" in done.stdout
    (product.folder / "fixed").touch()
    done = product.command("run", "shop", "north", "--json", "--url", product.url)
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["run"]["counts"]["succeeded"] == 2
    missing = product.command("run", "shp", "--url", product.url)
    assert (missing.returncode, "did you mean shop?" in missing.stderr) == (2, True)
    wait_for(lambda: product.failures(status="resolved"))
    assert product.failures(status="open") == []


@pytest.mark.requirement("S9", "X6")
def test_pipelines_are_listed_paused_and_resumed(product: Product) -> None:
    product.start()
    url = ["--url", product.url]
    paused = product.command("pipelines", "pause", "shop", *url)
    assert re.search(r"shop .*paused", paused.stdout)
    listed = product.command("pipelines", "list", "--json", *url).stdout.splitlines()
    stand = {one["name"]: one["paused"] for one in map(json.loads, listed)}
    assert stand == {"fine": False, "shop": True}
    shown = product.command("pipelines", "list", *url).stdout
    assert "south (disabled)" in shown
    assert product.command("pipelines", "resume", "shop", *url).returncode == 0
    assert not any(one["paused"] for one in product.get("/api/pipelines")["pipelines"])
    wrong = product.command("pipelines", "pause", "shp", *url)
    assert (wrong.returncode, "did you mean shop?" in wrong.stderr) == (2, True)


@pytest.mark.requirement("F4", "X6")
@pytest.mark.parametrize("running", ["store", "daemon"])
def test_the_log_of_a_run_is_shown(product: Product, running: str) -> None:
    where = asked(product, running)
    found = product.command("runs", "--json", *where).stdout
    run_id = json.loads(found)["run_id"]
    shown = product.command("log", run_id, *where).stdout
    assert "run_ended" in shown
    assert len(re.findall(r"failure \d+ ", shown)) == 2
    lines = product.command("log", run_id, "--json", *where).stdout.splitlines()
    assert len(lines) == len(shown.splitlines())
    assert {json.loads(line)["run_id"] for line in lines} == {run_id}
    wrong = product.command("log", "nothing", *where)
    assert (wrong.returncode, wrong.stdout, "no such run" in wrong.stderr) == (2, "", True)


@pytest.mark.requirement("U6", "X6")
def test_a_retry_names_the_failure_that_came_after_the_one_it_was_asked_for(
    product: Product,
) -> None:
    product.start()
    url = ["--url", product.url]
    (product.folder / "half").touch()
    first, second = sorted(product.failures(), key=lambda f: f["item"])
    ids = [str(f["id"]) for f in (first, second)]
    refused = product.command("retry", *ids, *url)
    assert (refused.returncode, "add --yes" in refused.stderr) == (2, True)
    assert product.get("/api/retries")["retries"] == []
    done = product.command("retry", *ids, "--yes", *url)
    assert done.returncode == 1
    (newer,) = product.failures(status="open")
    assert f"connection  failure {second['id']}, newer {newer['id']}\n" in done.stdout
    assert "1 succeeded, 1 failed again, 0 could not be retried" in done.stdout
    again = product.command("retry", ids[1], "--yes", *url)
    assert again.returncode == 1
    said = f"failure {second['id']} failed again since: retry failure {newer['id']} in its place"
    assert said in again.stderr
    assert "another cause" not in again.stdout
    for words in (["--pipeline", "shp"], ["--group", "nothing"], ["--source", "x", "--json"]):
        wrong = product.command("retry", *words, "--yes", *url)
        assert (wrong.returncode, wrong.stdout) == (2, ""), words
    (product.folder / "fixed").touch()
    assert product.command("retry", str(newer["id"]), "--yes", *url).returncode == 0


def piped_away(product: Product, *words: str) -> tuple[int, str]:
    """The exit code of a command whose reader has gone, and what it says of that."""
    command = shlex.join([sys.executable, "-m", "daemon", *words, "--config", str(product.config)])
    script = f"set -o pipefail; {command} | true"
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.requirement("X6")
def test_a_reader_that_goes_away_is_no_failure_and_hides_none(product: Product) -> None:
    for words in (["failures"], ["groups", "list"], ["runs"], ["check-config"], ["token", "list"]):
        assert piped_away(product, *words) == (0, ""), words
    assert piped_away(product, "run", "shop") == (1, "")
    assert piped_away(product, "run", "fine") == (0, "")
    lines = product.command("runs", "--json", "--config", str(product.config)).stdout.splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["success", "failed", "failed"]
