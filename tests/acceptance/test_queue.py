"""Work on demand waits in one stored queue: limits hold for everybody, and kill -9 loses nothing (X8)."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from tests.support.product import Product, wait_for

JOBS = """
import pathlib, time
def patient(run):
    while not pathlib.Path(run.options["go"]).exists() and not run.cancelled:
        time.sleep(0.005)
    time.sleep(0.02)
    run.succeed("all")
"""


def patient(product: Product, sources: str = "abcd", concurrency: int = 1) -> None:
    """Starts a daemon with a pipeline whose runs wait till they may end."""
    (product.folder / "jobs.py").write_text(JOBS)
    options = f'options = {{ go = "{product.folder / "go"}" }}\n'
    product.configure(
        f'[pipelines.jobs]\nrun = "jobs:patient"\nconcurrency = {concurrency}\n'
        + "".join(f"[pipelines.jobs.sources.{name}]\n{options}" for name in sources)
    )
    product.start()


def ask(product: Product, source: str) -> str:
    """A person asks for a run; returns the id of its cycle."""
    return str(product.post("/api/pipelines/jobs/run", {"source": source})["cycle_id"])


def runs(product: Product) -> list[dict[str, Any]]:
    """All runs, oldest first."""
    return list(reversed(product.get("/api/runs", limit=100)["runs"]))


@pytest.mark.requirement("X3", "X8")
def test_what_waits_and_what_runs_is_done_after_kill_9(product: Product) -> None:
    patient(product)
    asked = [ask(product, source) for source in "abc"]
    wait_for(lambda: [run["source"] for run in runs(product)] == ["a"])
    product.kill()
    (product.folder / "go").touch()
    product.start()
    wait_for(lambda: len(runs(product)) == 4 and all(run["end_time"] for run in runs(product)))
    assert [(run["cycle_id"], run["source"], run["status"]) for run in runs(product)] == [
        (asked[0], "a", "interrupted"),
        (asked[0], "a", "success"),
        (asked[1], "b", "success"),
        (asked[2], "c", "success"),
    ]
    product.kill()
    product.start()
    assert len(runs(product)) == 4  # what is done is not done again


@pytest.mark.requirement("X8")
def test_what_waits_is_shown_and_not_taken_twice(product: Product) -> None:
    patient(product)
    asked = [ask(product, source) for source in "abc"]
    wait_for(lambda: product.get("/api/processing/status")["is_processing"])
    queued = product.get("/api/processing/current-status")["queued"]
    assert queued["count"] == 2
    assert [(run["source"], run["cycle_id"], run["priority"]) for run in queued["first"]] == [
        ("b", asked[1], "person"),
        ("c", asked[2], "person"),
    ]
    (jobs,) = product.get("/api/pipelines")["pipelines"]
    assert jobs["queued"] == queued
    assert product.metrics()['triaged_work_queued{pipeline="jobs"}'] == 2
    for source, word in (("a", "running"), ("c", "queued")):
        answer = product.http.post("/api/pipelines/jobs/run", json={"source": source})
        assert (answer.status_code, answer.json()["detail"]) == (
            409,
            f"jobs/{source} is {word} already",
        )
    (product.folder / "go").touch()
    wait_for(lambda: len(runs(product)) == 3 and all(run["end_time"] for run in runs(product)))
    assert product.get("/api/processing/status")["queued"] == {"count": 0, "first": []}


DEADLY = """
import os, pathlib, signal, time
def work(run):
    while not (pathlib.Path(run.options["sign"]).exists() or run.cancelled):
        time.sleep(0.005)
    if run.options["deadly"]:
        os.kill(os.getpid(), signal.SIGKILL)
    run.succeed("all")
"""


@pytest.mark.requirement("X3", "X8")
def test_a_run_that_kills_the_daemon_each_time_fails_and_what_ran_beside_it_is_done(
    product: Product,
) -> None:
    kill, go = product.folder / "kill", product.folder / "go"
    (product.folder / "jobs.py").write_text(DEADLY)
    product.configure(
        '[pipelines.jobs]\nrun = "jobs:work"\nconcurrency = 2\n'
        + "".join(
            f'[pipelines.jobs.sources.{name}]\noptions = {{ sign = "{sign}", deadly = {deadly} }}\n'
            for name, sign, deadly in (("a", kill, "true"), ("b", go, "false"))
        )
    )
    product.start()
    asked = [ask(product, source) for source in "ab"]
    wait_for(lambda: len(runs(product)) == 2)
    for _ in range(3):
        wait_for(lambda: any(run["status"] == "running" for run in runs(product)))
        kill.touch()
        product.process.wait()
        kill.unlink()
        product.start()
    go.touch()

    def came_to(source: str) -> list[str]:
        return [run["status"] for run in runs(product) if run["source"] == source]

    wait_for(lambda: came_to("a") == [*["interrupted"] * 3, "failed"])
    wait_for(lambda: came_to("b") == ["interrupted", "success"])
    assert {run["source"]: run["cycle_id"] for run in runs(product)} == dict(
        zip("ab", asked, strict=True)
    )
    (failure,) = product.failures()
    assert (failure["source"], failure["item"]) == ("a", None)
    assert (failure["error_category"], failure["is_retryable"]) == ("resource", False)
    assert "The daemon itself died" in failure["user_message"]
    assert product.metrics()['triaged_runs_total{pipeline="jobs",status="failed"}'] == 1


@pytest.mark.slow
@pytest.mark.requirement("X3", "X8")
def test_kill_9_at_random_moments_loses_no_run_that_was_asked_for(product: Product) -> None:
    names = [f"s{n:02d}" for n in range(24)]
    (product.folder / "go").touch()
    patient(product, names, concurrency=2)  # type: ignore[arg-type]
    chance, asked = random.Random(20261201), []
    for first in range(0, len(names), 4):
        asked += [ask(product, name) for name in names[first : first + 4]]
        time.sleep(chance.uniform(0.0, 0.08))
        product.kill()
        product.start()
    wait_for(
        lambda: (
            {run["cycle_id"] for run in runs(product) if run["status"] == "success"} == set(asked)
        )
    )
    for run in runs(product):
        assert run["status"] in ("success", "interrupted")
    done = [run["source"] for run in runs(product) if run["status"] == "success"]
    assert sorted(done) == names  # each once
