"""Metrics and CSV export, on the running product (requirements M)."""

from __future__ import annotations

import csv
import io
from collections import Counter

import pytest

from daemon.taxonomy import CATEGORIES
from tests.support.product import BAD, GOOD, Product, wait_for

MORE = '[pipelines.mine]\nrun = "mine:work"\nevery = "1h"\n'
MINE = "def work(run):\n    run.succeed('a')\n    run.fail('b', 'connection refused')\n"


@pytest.fixture
def busy(product: Product) -> Product:
    (product.folder / "mine.py").write_text(MINE)
    product.configure_orders(more=MORE)
    product.drop("good.csv", GOOD)
    product.drop("bad.csv", BAD)
    product.drop("empty.csv", "")
    product.start()
    for name, status in (("good", "success"), ("bad", "partial"), ("empty", "failed")):
        product.wait_for_file(f"{name}.csv", status)
    wait_for(lambda: len(product.failures(pipeline="mine")) == 1)
    product.pause("ingest")
    return product


@pytest.mark.requirement("M1")
def test_every_pipeline_and_category_exists_at_zero_from_the_start(product: Product) -> None:
    product.configure_orders(every="1h")
    product.start()
    metrics = product.metrics()
    for category in CATEGORIES:
        for retryable in ("true", "false"):
            labels = f'category="{category}",pipeline="ingest",retryable="{retryable}"'
            assert metrics[f"triaged_failures_total{{{labels}}}"] == 0
        assert metrics[f'triaged_failures_open{{category="{category}",pipeline="ingest"}}'] == 0
    assert metrics['triaged_failures_retryable_ratio{pipeline="ingest"}'] == 0


@pytest.mark.requirement("M1")
def test_the_same_metrics_are_there_in_both_formats(busy: Product) -> None:
    text = busy.http.get("/metrics")
    openmetrics = busy.http.get(
        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    assert text.headers["content-type"].startswith("text/plain")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")
    declared, again = (
        {
            line.split()[2].removesuffix("_total")
            for line in answer.text.splitlines()
            if " TYPE " in line
        }
        for answer in (text, openmetrics)
    )
    assert declared == again
    assert "triaged_failures" in declared


@pytest.mark.requirement("M1", "M6")
def test_api_metrics_and_csv_agree_to_the_last_row(busy: Product) -> None:
    failures = busy.failures()
    table = list(csv.DictReader(io.StringIO(busy.http.get("/api/export/failures.csv").text)))
    assert [int(row["id"]) for row in table] == [failure["id"] for failure in failures]
    for row, failure in zip(table, failures, strict=True):
        for column in ("pipeline", "source", "item", "error_message", "error_category", "rule"):
            assert row[column] == failure[column]
    by_kind = Counter((f["pipeline"], f["error_category"], f["is_retryable"]) for f in failures)
    metrics = busy.metrics()
    counted = {
        (pipeline, category.value, retryable): int(
            metrics[
                f'triaged_failures_total{{category="{category}",pipeline="{pipeline}",'
                f'retryable="{str(retryable).lower()}"}}'
            ]
        )
        for pipeline in ("ingest", "mine")
        for category in CATEGORIES
        for retryable in (True, False)
    }
    assert {kind: n for kind, n in counted.items() if n} == dict(by_kind)
    open_now = sum(n for name, n in metrics.items() if name.startswith("triaged_failures_open{"))
    assert open_now == len([f for f in failures if f["status"] == "open"])
    assert metrics['triaged_rows_total{outcome="loaded",pipeline="ingest"}'] == 3
    assert metrics['triaged_rows_total{outcome="rejected",pipeline="ingest"}'] == 2
    assert metrics['triaged_items_total{outcome="failed",pipeline="ingest"}'] == 2


@pytest.mark.requirement("M6")
def test_the_csv_takes_any_filter_and_defuses_formulas(product: Product) -> None:
    (product.folder / "mine.py").write_text(
        "def work(run):\n"
        "    run.fail('=cmd|calc', '=HYPERLINK(\"x\"), \"quoted\"\\nand a second line')\n"
        "    run.fail('plain', 'connection refused')\n"
    )
    product.configure(MORE)
    product.start()
    wait_for(lambda: len(product.failures()) == 2)

    def export(**filters: str) -> list[dict[str, str]]:
        answer = product.http.get("/api/export/failures.csv", params=filters)
        assert answer.headers["content-type"].startswith("text/csv")
        return list(csv.DictReader(io.StringIO(answer.text)))

    assert [row["item"] for row in export(category="connection")] == ["plain"]
    assert [row["item"] for row in export(q="hyperlink")] == ["'=cmd|calc"]
    (row,) = export(q="hyperlink")
    assert row["error_message"].startswith("'=HYPERLINK")
    assert export(status="resolved") == []


@pytest.mark.requirement("M1")
def test_a_restart_does_not_read_as_1970(busy: Product) -> None:
    before = busy.metrics()
    assert busy.stop() == 0
    busy.start()
    after = busy.metrics()
    name = 'triaged_cycle_last_completion_timestamp_seconds{pipeline="ingest"}'
    assert after[name] == pytest.approx(before[name], abs=60)
    assert after[name] > 1_700_000_000
    opened = 'triaged_failures_open{category="data_malformed",pipeline="ingest"}'
    assert after[opened] == before[opened] > 0
