"""What a scrape of a product with pipelines of all kinds holds, and what Prometheus makes of it (M1)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from daemon import __version__
from daemon.version import commit_of
from tests.support.imap_login import ImapLogin, imap_login
from tests.support.product import BAD, GOOD, ORDERS, ROOT, Product, wait_for
from tests.support.prometheus import Prometheus

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
USER, PASSWORD = "support@example.com", "correct-horse-battery-staple"

PIPELINES = """
[pipelines.mail]
every = "1h"
[pipelines.mail.sources.refused]
host = "127.0.0.1"
port = {port}
tls = "none"
username = "support@example.com"
password_file = "refused.password"
[pipelines.mine]
run = "jobs:mine"
every = "1h"
[pipelines.patient]
run = "jobs:patient"
every = "1h"
"""
JOBS = """
import time


def mine(run):
    run.succeed("a")
    run.fail("b", "connection refused")


def patient(run):
    run.progress(1, 4)
    while not run.cancelled:
        time.sleep(0.02)
"""

CONTRACT = """
triaged_build_info{version}
triaged_cycles_total{pipeline,outcome}
triaged_cycles_skipped_total{pipeline,reason}
triaged_cycle_duration_seconds{pipeline} histogram
triaged_cycle_last_completion_timestamp_seconds{pipeline}
triaged_cycle_interval_seconds{pipeline}
triaged_cycle_sources{pipeline,state}
triaged_runs_total{pipeline,status}
triaged_runs_active{pipeline}
triaged_run_duration_seconds{pipeline,status} histogram
triaged_run_progress_ratio{pipeline,source}
triaged_items_total{pipeline,outcome}
triaged_rows_total{pipeline,outcome}
triaged_failures_total{pipeline,category,retryable}
triaged_failures_open{pipeline,category}
triaged_failures_retryable_ratio{pipeline}
triaged_source_failing{pipeline,source,category}
triaged_source_last_success_timestamp_seconds{pipeline,source}
triaged_source_consecutive_failures{pipeline,source}
triaged_retries_total{pipeline,outcome}
triaged_retries_pending{pipeline}
triaged_notifications_dropped_total{channel}
triaged_live_clients
triaged_live_dropped_total
triaged_store_commit_seconds histogram
triaged_store_queue_events
triaged_store_errors_total
triaged_store_bytes
"""
"""The metrics that outside programs rely on, with their labels, as the design lists them."""


class Contract(NamedTuple):
    """One line of it."""

    name: str
    labels: frozenset[str]
    kind: str


def contract() -> Iterator[Contract]:
    for line in CONTRACT.split("\n")[1:-1]:
        found = re.fullmatch(r"(\w+?)(_total)?(?:\{([\w,]+)\})?( histogram)?", line)
        assert found, line
        name, total, labels, histogram = found.groups()
        kind = "counter" if total else "histogram" if histogram else "gauge"
        yield Contract(name, frozenset(labels.split(",") if labels else ()), kind)


@pytest.fixture
def server() -> Iterator[ImapLogin]:
    with imap_login(USER, PASSWORD) as server:
        yield server


@pytest.fixture
def busy(product: Product, server: ImapLogin) -> Product:
    """Every kind of pipeline has worked, each with something that failed; one run goes on."""
    (product.folder / "jobs.py").write_text(JOBS)
    (product.folder / "refused.password").write_text("wrong")
    product.configure(ORDERS.format(every="1h") + PIPELINES.format(port=server.port))
    product.drop("good.csv", GOOD)
    product.drop("bad.csv", BAD)
    product.start()
    login = {"username": USER, "password": PASSWORD, "tls": "none"}
    place = {"host": "127.0.0.1", "port": server.port}
    product.post("/api/accounts", {"name": "works", **place, **login})
    wait_for(lambda: len(ended(product)) >= 3)
    product.post("/api/pipelines/mail/run", {"source": "works"})
    wait_for(lambda: "works" in ended(product))
    return product


def ended(product: Product) -> dict[str, dict[str, Any]]:
    """The latest run of each source that has ended."""
    runs = product.get("/api/runs", limit=100)["runs"]
    return {run["source"]: run for run in reversed(runs) if run["end_time"]}


def families(product: Product) -> dict[str, Metric]:
    """What the product itself exports, read as strictly as OpenMetrics demands."""
    text = product.http.get("/metrics", headers=OPENMETRICS).text
    return {family.name: family for family in text_string_to_metric_families(text)}


def labels_of(family: Metric) -> set[frozenset[str]]:
    return {frozenset(sample.labels) - {"le"} for sample in family.samples}


@pytest.mark.requirement("M1")
def test_every_metric_of_the_contract_is_there_with_exactly_its_labels(busy: Product) -> None:
    found = families(busy)
    for metric in contract():
        family = found[metric.name]
        assert family.type == metric.kind, metric.name
        assert labels_of(family) == {metric.labels}, metric.name
    (dropped,) = found["triaged_notifications_dropped"].samples
    assert (dropped.labels, dropped.value) == ({"channel": "socket"}, 0)
    pipelines = {s.labels["pipeline"] for s in found["triaged_runs"].samples}
    assert pipelines == {"ingest", "mail", "mine", "patient"}


@pytest.mark.requirement("M1")
def test_metrics_health_and_command_name_the_same_version_with_its_commit(busy: Product) -> None:
    (info,) = families(busy)["triaged_build_info"].samples
    said = busy.command("--version").stdout.strip()
    assert said == f"triaged {info.labels['version']}"
    assert busy.get("/healthz")["version"] == info.labels["version"]
    commit = commit_of(ROOT / "daemon")
    assert info.labels["version"] == (f"{__version__}+g{commit[:12]}" if commit else __version__)


@pytest.mark.requirement("M1")
@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_has_nothing_to_say_about_any_metric(busy: Product) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=busy.http.get("/metrics").text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.requirement("M1")
@pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed")
def test_an_exemplar_in_prometheus_leads_to_its_run(busy: Product, tmp_path: Path) -> None:
    prometheus = Prometheus(tmp_path / "prometheus")
    try:
        prometheus.start(f"127.0.0.1:{busy.port}", "127.0.0.1:9", links={})
        for query, source, status in (
            ('triaged_failures_total{category="authentication"}', "refused", "failed"),
            ('triaged_runs_total{pipeline="mine"}', "mine", "partial"),
            ('triaged_run_duration_seconds_bucket{status="success"}', "works", "success"),
        ):
            run_id = wait_for(lambda query=query: exemplar(prometheus, query))["run_id"]
            run = busy.get(f"/api/runs/{run_id}")
            assert (run["source"], run["status"]) == (source, status)
    finally:
        prometheus.stop()


def exemplar(prometheus: Prometheus, query: str) -> dict[str, str] | None:
    """The labels of the only exemplar there is."""
    found = prometheus.http.get(
        "/api/v1/query_exemplars", params={"query": query, "start": 0, "end": 4_000_000_000}
    )
    assert found.status_code == 200, found.text
    series = found.json()["data"]
    (labels,) = [e["labels"] for s in series for e in s["exemplars"]] or [None]
    return labels


@pytest.mark.requirement("M1", "S3")
def test_every_time_of_every_source_and_pipeline_is_there_again_at_once_after_a_restart(
    busy: Product,
) -> None:
    for pipeline in ("ingest", "mail", "mine", "patient"):
        busy.post(f"/api/pipelines/{pipeline}/pause")
    before = times(busy)
    source = "triaged_source_{}_timestamp_seconds"
    assert ("mail", "works") in before[source.format("last_success")]
    assert set(before[source.format("failing_since")]) == {("mail", "refused")}
    assert busy.stop() == 0
    busy.start()
    assert not busy.get("/api/processing/status")["is_processing"]
    after = times(busy)
    assert after == before
    for values in after.values():
        assert all(value > 1_700_000_000 for value in values.values())


def times(product: Product) -> dict[str, dict[tuple[str, ...], float]]:
    """All times that lie in the past, by metric and labels; those of pipelines without a cycle are 0."""
    return {
        family.name: {tuple(s.labels.values()): s.value for s in family.samples if s.value}
        for family in families(product).values()
        if family.name.endswith("_timestamp_seconds") and "next" not in family.name
    }
