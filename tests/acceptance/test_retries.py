"""Retries by hand on the running product: one failure, many, a filter, or a whole group."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import GOOD, ROOT, Product, wait_for

HEADER = "order_id,email,amount\n"
JOBS = """
import pathlib, time
FOLDER = pathlib.Path(__file__).parent

def work(run):
    names = [f"item {n:03d}" for n in range(run.options["items"])]
    for name in names:
        if run.wanted is not None and name not in run.wanted:
            continue
        if run.cancelled:
            return
        if not (FOLDER / "fixed").exists():
            run.fail(name, ConnectionRefusedError(111, "Connection refused"))
            continue
        with (FOLDER / "done.log").open("a") as log:
            log.write(name + "\\n")
        time.sleep(run.options["seconds"])
        run.succeed(name)
"""


def broken(n: int) -> str:
    return HEADER + (f"{n},a@example.com,abc\n" if n % 2 else f"{n},a@example.com\n")


def finished(product: Product, retry: dict[str, Any]) -> dict[str, Any]:
    def look() -> Any:
        found = product.get(f"/api/retries/{retry['id']}")
        return found if found["ended_at"] else None

    found: dict[str, Any] = wait_for(look)
    return found


@pytest.fixture
def thirty(product: Product) -> Product:
    """An ingestion with 30 broken files, half of them for one cause and half for another."""
    product.configure_orders(every="1h")
    for n in range(30):
        product.drop(f"{n:02d}.csv", broken(n))
    product.start()
    wait_for(lambda: product.get("/api/processing/failures")["total_failures"] == 30)
    product.wait_until_idle()
    return product


def jobs(product: Product, items: int, seconds: float = 0.0) -> Path:
    """An own pipeline whose items fail until a file exists, run once; returns that file."""
    (product.folder / "jobs.py").write_text(JOBS)
    product.configure(
        '[pipelines.jobs]\nrun = "jobs:work"\n[pipelines.jobs.sources.all]\n'
        f"options = {{ items = {items}, seconds = {seconds} }}\n"
    )
    product.start()
    product.post("/api/pipelines/jobs/run")
    wait_for(lambda: product.get("/api/processing/failures")["total_failures"] == items)
    product.wait_until_idle()
    return product.folder / "fixed"


@pytest.mark.requirement("U6", "I6")
def test_the_files_of_one_group_are_fixed_and_only_this_group_is_retried(thirty: Product) -> None:
    groups = thirty.get("/api/failures/groups")["groups"]
    assert [group["count"] for group in groups] == [15, 15]
    group = next(g for g in groups if g["error_category"] == "schema_mismatch")
    for n in range(1, 30, 2):
        thirty.drop(f"{n:02d}.csv", HEADER + f"{n},a@example.com,1.00\n")
    thirty.drop("other.csv", GOOD)  # new, and nobody's business now
    before = {f["item"]: f for f in thirty.failures()}
    body = {"failure_group": group["failure_group"], "include_not_retryable": True}
    retry = finished(thirty, thirty.post("/api/retries", body))
    totals = retry["totals"]
    assert (retry["state"], totals["to_retry"], totals["succeeded"]) == ("completed", 15, 15)
    after = {f["item"]: f for f in thirty.failures()}
    assert {i for i, f in after.items() if f["status"] == "resolved"} == {
        f"{n:02d}.csv" for n in range(1, 30, 2)
    }
    others = [f"{n:02d}.csv" for n in range(0, 30, 2)]
    assert [after[name] for name in others] == [before[name] for name in others]
    files = thirty.get("/api/ingestions/orders/files", limit=100)["files"]
    assert {f["path"] for f in files if f["status"] == "success"} == {
        f"{n:02d}.csv" for n in range(1, 30, 2)
    }
    (kept,) = thirty.get("/api/failures/groups", status="open")["groups"]
    assert (kept["count"], kept["error_category"]) == (15, "data_malformed")
    metrics = thirty.metrics()
    assert metrics['triaged_retries_total{outcome="succeeded",pipeline="ingest"}'] == 15
    assert metrics['triaged_retries_total{outcome="failed",pipeline="ingest"}'] == 0
    assert metrics['triaged_retries_pending{pipeline="ingest"}'] == 0
    assert metrics['triaged_failures_open{category="schema_mismatch",pipeline="ingest"}'] == 0
    text = thirty.http.get("/api/export/failures.csv").text
    exported = {row["item"]: row["status"] for row in csv.DictReader(io.StringIO(text))}
    assert list(exported.values()).count("resolved") == 15
    assert thirty.stop() == 0
    assert thirty.warehouse("SELECT count(*) FROM orders") == [(15,)]


@pytest.mark.requirement("U6", "X6")
def test_the_command_retries_a_group_and_lists_what_failed_again(thirty: Product) -> None:
    group = next(
        g
        for g in thirty.get("/api/failures/groups")["groups"]
        if g["error_category"] == "schema_mismatch"
    )
    thirty.drop("01.csv", HEADER + "1,a@example.com,1.00\n")
    (thirty.inbox / "03.csv").unlink()
    url = ["--url", thirty.url]
    chosen = ["retry", "--group", group["failure_group"], *url]
    done = thirty.command(*chosen, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 of 15 items" in done.stdout
    assert "a retry cannot help" in done.stdout
    done = thirty.command(*chosen, "--include-not-retryable", "--yes")
    assert done.returncode == 1, done.stderr
    assert "03.csv" in done.stdout
    assert "no longer in its folder" in done.stdout
    assert "ingest/orders  01.csv" not in done.stdout
    assert "ingest/orders  05.csv  failed_again" in done.stdout
    listed = thirty.command("retry", "--list", "--json", *url)
    (retry,) = [json.loads(line) for line in listed.stdout.splitlines()]
    totals = retry["totals"]
    assert (totals["succeeded"], totals["failed_again"], totals["not_retried"]) == (1, 13, 1)
    again = thirty.failures(status="open", category="schema_mismatch")
    one = ["retry", str(again[0]["id"]), "--include-not-retryable", "--json", *url]
    refused = thirty.command(*one, stdin=subprocess.DEVNULL)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "add --yes" in refused.stderr
    assert len(thirty.get("/api/retries")["retries"]) == 1
    done = thirty.command(*one, "--yes")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert lines[0]["retry"]["totals"]["failed_again"] == 1
    assert lines[1]["failure"]["item"] == again[0]["item"]


@pytest.mark.requirement("X4")
def test_the_command_says_what_is_wrong_with_what_it_is_given(thirty: Product) -> None:
    for arguments, code, words in (
        ([], 2, "say what to retry"),
        (["4711", "--source", "orders"], 2, "say what to retry"),
        (["4711"], 5, "no failure 4711"),
        (["x"], 2, "whole number"),
        (["--since", "yesterday"], 2, "--since"),
        (["--watch", "nothing"], 5, "no retry operation"),
        (["--cancel", "nothing"], 5, "no retry operation"),
        (["--list", "1"], 2, "take no failures"),
    ):
        done = thirty.command("retry", *arguments, "--url", thirty.url)
        assert done.returncode == code, (arguments, done.stderr)
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert thirty.get("/api/retries")["retries"] == []


@pytest.mark.requirement("U6", "X5")
def test_an_own_pipeline_is_asked_for_the_items_until_they_succeed(product: Product) -> None:
    fixed = jobs(product, items=20)
    command = ["retry", "--pipeline", "jobs", "--q", "item 01", "--yes", "--url", product.url]
    assert product.command(*command).returncode == 1
    assert len(product.failures(status="open")) == 20
    fixed.touch()
    done = product.command(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    succeeded = (product.folder / "done.log").read_text().splitlines()
    assert succeeded == [f"item {n:03d}" for n in range(10, 20)]
    assert len(product.failures(status="open")) == 10
    metrics = product.metrics()
    assert metrics['triaged_retries_total{outcome="failed",pipeline="jobs"}'] == 10
    assert metrics['triaged_retries_total{outcome="succeeded",pipeline="jobs"}'] == 10


@pytest.mark.slow
@pytest.mark.requirement("U6")
def test_a_rate_is_kept_and_a_cancelled_retry_stops_after_its_chunk(product: Product) -> None:
    jobs(product, items=40).touch()
    retry = product.post("/api/retries", {"filter": {"pipeline": "jobs"}, "rate": 60})

    def progress() -> Any:
        return product.get(f"/api/retries/{retry['id']}")

    wait_for(lambda: progress()["totals"]["done"] == 10)
    wait_for(lambda: progress()["state_text"] == "keeps to 60 items a minute")
    assert product.metrics()['triaged_retries_pending{pipeline="jobs"}'] == 30
    starts = [
        datetime.fromisoformat(run["start_time"])
        for run in product.get("/api/runs")["runs"]
        if run["counts"]["succeeded"]
    ]
    assert len(starts) == 2
    assert (starts[0] - starts[1]).total_seconds() > 4.9
    cancelled = product.post(f"/api/retries/{retry['id']}/cancel")
    assert cancelled["state"] == "cancelled"
    again = finished(product, product.post("/api/retries", {"filter": {"pipeline": "jobs"}}))
    assert again["totals"]["succeeded"] == 30
    assert progress()["totals"]["done"] == 10
    assert product.metrics()['triaged_retries_pending{pipeline="jobs"}'] == 0
    log = (product.folder / "done.log").read_text().splitlines()
    assert sorted(log) == [f"item {n:03d}" for n in range(40)]


@pytest.mark.slow
@pytest.mark.requirement("X3", "U6")
def test_a_retry_goes_on_after_kill_9_and_does_nothing_twice(product: Product) -> None:
    jobs(product, items=150, seconds=0.01).touch()
    log = product.folder / "done.log"
    retry = product.post("/api/retries", {"filter": {"pipeline": "jobs"}})
    chance = random.Random(20261122)
    for _ in range(6):
        deadline = time.monotonic() + chance.uniform(0.05, 0.4)
        while time.monotonic() < deadline:
            resolved = {f["item"] for f in product.failures(status="resolved")}
        product.kill()
        before = len(log.read_text().splitlines())
        product.start()
        later = log.read_text().splitlines()[before:]
        assert not resolved & set(later)
    done = finished(product, retry)
    assert (done["state"], done["totals"]["succeeded"]) == ("completed", 150)
    assert product.get(f"/api/retries/{retry['id']}/failures")["total_failures"] == 0
    assert {f["status"] for f in product.failures()} == {"resolved"}
    lines = log.read_text().splitlines()
    assert set(lines) == {f"item {n:03d}" for n in range(150)}
    # What was done and not on disk yet when it was killed: a commit's worth, and never the whole.
    assert len(lines) < 150 + 6 * 15


@pytest.mark.slow
@pytest.mark.requirement("X3", "I1")
def test_files_are_loaded_once_though_their_retry_is_killed(product: Product) -> None:
    product.configure_orders(every="1h")
    for n in range(120):
        product.drop(f"{n:03d}.csv", broken(2 * n + 1))
    product.start()
    wait_for(lambda: product.get("/api/processing/failures")["total_failures"] == 120)
    product.wait_until_idle()
    for n in range(120):
        product.drop(f"{n:03d}.csv", HEADER + f"{n},a@example.com,1.00\n")
    product.post("/api/pipelines/ingest/pause")
    body = {"filter": {"pipeline": "ingest"}, "include_not_retryable": True}
    retry = product.post("/api/retries", body)
    wait_for(lambda: "paused" in product.get(f"/api/retries/{retry['id']}")["state_text"])
    product.post("/api/pipelines/ingest/resume")
    chance = random.Random(1)
    for _ in range(5):
        time.sleep(chance.uniform(0.02, 0.3))
        product.kill()
        product.start()
    done = finished(product, retry)
    assert (done["totals"]["to_retry"], done["totals"]["succeeded"]) == (120, 120)
    assert {f["status"] for f in product.failures()} == {"resolved"}
    assert product.stop() == 0
    rows = product.warehouse("SELECT count(*), count(DISTINCT order_id) FROM orders")
    assert rows == [(120, 120)]


def launched(product: Product, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "daemon", "retry", *arguments, "--url", product.url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.requirement("X6")
def test_on_a_terminal_a_person_is_asked_and_ctrl_c_leaves_the_retry_running(
    product: Product,
) -> None:
    jobs(product, items=15)
    product.post("/api/pipelines/jobs/pause")
    terminal, inside = os.openpty()
    asked = launched(product, "--pipeline", "jobs", stdin=inside, stderr=inside)
    os.write(terminal, b"n\n")
    assert asked.wait(30) == 0
    assert "15 of 15 items to retry" in asked.communicate()[0]
    assert product.get("/api/retries")["retries"] == []
    told = launched(product, "--pipeline", "jobs", "--yes", stdin=inside, stderr=subprocess.PIPE)
    os.close(inside)
    assert told.stderr is not None
    assert any("waits: the pipeline jobs is paused" in line for line in told.stderr)
    told.send_signal(signal.SIGINT)
    assert told.wait(30) == 130
    assert "the retry goes on" in told.communicate()[1]
    os.close(terminal)
    (retry,) = product.get("/api/retries")["retries"]
    assert retry["state"] == "running"
    done = product.command("retry", "--cancel", retry["id"], "--url", product.url)
    assert (done.returncode, "cancelled" in done.stdout) == (0, True)
    done = product.command("retry", "--watch", retry["id"], "--url", product.url)
    assert done.returncode == 1
