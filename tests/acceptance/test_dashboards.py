"""Dashboards: everything they ask is answered, by a real Prometheus and by the REST API."""

from __future__ import annotations

import csv
import io
import math
import re
import shutil
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from dashboards.make import dashboards
from tests.support import grafana
from tests.support.grafana import Choices
from tests.support.product import BAD, GOOD, ORDERS, Product, wait_for
from tests.support.prometheus import Prometheus

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed"),
]

PIPELINES = """
[pipelines.mailbox]
run = "jobs:mailbox"
every = "500ms"
[pipelines.mailbox.sources.archive]
[pipelines.mailbox.sources.support]
[pipelines.mailbox.sources.sales]
[pipelines.mailbox.sources.flaky]
[pipelines.patient]
run = "jobs:patient"
every = "1h"
"""

JOBS = '''
import time

sold = []


def mailbox(run):
    """One source works, one is refused, one begins to fail, and one fails in part."""
    run.step("connecting", "Connecting")
    if run.source == "support":
        raise RuntimeError("[AUTHENTICATIONFAILED] Invalid credentials")
    if run.source == "sales":
        if sold:
            raise ConnectionRefusedError(111, "Connection refused")
        sold.append(run.run_id)
    run.succeed("first")
    if run.source == "flaky":
        if run.wanted is None:
            run.fail("second", ConnectionResetError(104, "Connection reset by peer"))
        else:
            run.succeed("second")
        run.fail("third", "wobbly frobnication")
        run.skip()


def patient(run):
    """Is under way until the daemon stops."""
    run.progress(4, 10)
    while not run.cancelled:
        time.sleep(0.05)
'''

NOBODY = "127.0.0.1:9"
"""Where an Alertmanager would listen."""


class Watched(NamedTuple):
    """A product with data of all kinds, and the Prometheus that watches it."""

    product: Product
    prometheus: Prometheus
    since: float

    def ask(self, path: str, **parameters: Any) -> Any:
        """The data that a path of Prometheus answers with."""
        answer = self.prometheus.http.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("dashboards")
    product, prometheus = Product(folder), Prometheus(folder / "prometheus")
    product.configure(ORDERS.format(every="500ms") + PIPELINES)
    (folder / "jobs.py").write_text(JOBS)
    since = time.time()
    try:
        product.start()
        prometheus.start(f"127.0.0.1:{product.port}", NOBODY, links={})
        wait_for(lambda: prometheus.query("count_over_time(up[1m]) >= 2"))
        product.drop("good.csv", GOOD)
        product.drop("bad.csv", BAD)
        wait_for(lambda: product.failures(source="flaky") and product.failures(source="orders"))
        product.post("/api/retries", {"filter": {"source": "flaky"}})
        yield Watched(product, prometheus, since)
    finally:
        product.kill()
        prometheus.stop()


MADE = dashboards()
TARGETS = [
    pytest.param(panel, target, id=f"{dashboard['uid']}: {panel['title']} {target['refId']}")
    for dashboard in MADE
    for panel in grafana.panels(dashboard)
    for target in panel["targets"]
]
PROMETHEUS_TARGETS = [p for p in TARGETS if "expr" in p.values[1]]
MARKS = [
    pytest.param(mark, id=f"{dashboard['uid']}: {mark['name']}")
    for dashboard in MADE
    for mark in dashboard["annotations"]["list"]
    if "expr" in mark
]
REST_TARGETS = [
    pytest.param(target, id=f"{dashboard['uid']}: {target['url']} {number}")
    for dashboard in MADE
    for number, target in enumerate(grafana.asked(dashboard))
]


def over_range(watched: Watched, expr: str, shortest: str = "") -> list[dict[str, Any]]:
    """The courses that a graph would draw. Its last point is now, which Grafana would round down."""
    choices = Choices(watched.since, time.time(), scrape=1)
    step = grafana.interval(choices, shortest)
    steps = math.ceil((choices.until - choices.since) / step)
    return watched.ask(
        "/api/v1/query_range",
        query=grafana.replaced(expr, choices, shortest),
        start=choices.until - steps * step,
        end=choices.until,
        step=step,
    )["result"]


def at_the_end(watched: Watched, expr: str) -> list[dict[str, Any]]:
    """What a figure or a table would show."""
    choices = Choices(watched.since, time.time(), scrape=1)
    return watched.prometheus.query(grafana.replaced(expr, choices))


def numbers(result: list[dict[str, Any]]) -> list[float]:
    """All values that are numbers: a quantile of nothing is none."""
    points = [point for found in result for point in found.get("values", [found.get("value")])]
    return [value for _, text in points if not math.isnan(value := float(text))]


@pytest.mark.requirement("M2")
@pytest.mark.parametrize(("panel", "target"), PROMETHEUS_TARGETS)
def test_every_query_of_a_panel_is_answered_with_plausible_figures(
    watched: Watched, panel: dict[str, Any], target: dict[str, Any]
) -> None:
    def look() -> list[dict[str, Any]]:
        if target["instant"]:
            result = at_the_end(watched, target["expr"])
        else:
            result = over_range(watched, target["expr"], panel.get("interval", ""))
        return result if numbers(result) else []

    result = wait_for(look)
    labels = set().union(*(series["metric"] for series in result))
    assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels
    found = numbers(result)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    assert all(0 <= value < math.inf for value in found)
    if unit == "percentunit":
        assert all(value <= 1 for value in found)
    if unit == "dateTimeFromNow":
        assert all(abs(value / 1000 - time.time()) < 3600 for value in found)


@pytest.mark.requirement("M2")
@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_has_something_to_show(watched: Watched, mark: dict[str, Any]) -> None:
    found = wait_for(lambda: over_range(watched, mark["expr"]))
    labels = set().union(*(series["metric"] for series in found))
    assert mark["tagKeys"] in labels


@pytest.mark.requirement("M2")
@pytest.mark.parametrize("dashboard", MADE, ids=lambda dashboard: dashboard["uid"])
def test_every_variable_offers_values(watched: Watched, dashboard: dict[str, Any]) -> None:
    for selector, label in grafana.label_queries(dashboard):
        expr = grafana.replaced(selector, Choices(watched.since, time.time(), scrape=1))
        query = {"match[]": expr}
        offered = wait_for(
            lambda query=query, label=label: watched.ask(f"/api/v1/label/{label}/values", **query)
        )
        expected = {"pipeline": "mailbox", "source": "support", "category": "authentication"}
        assert expected.get(label, offered[0]) in offered


@pytest.mark.requirement("M2", "M4")
@pytest.mark.parametrize("target", REST_TARGETS)
def test_every_query_to_the_rest_api_is_answered_with_its_columns(
    watched: Watched, target: dict[str, Any]
) -> None:
    choices = Choices(watched.since, time.time() + 60, scrape=1)
    parameters = {
        p["key"]: grafana.replaced(p["value"], choices) for p in target["url_options"]["params"]
    }
    accept = {"csv": "text/csv", "json": "application/json"}[target["type"]]
    answer = watched.product.http.get(target["url"], params=parameters, headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(accept)
    rows = (
        list(csv.DictReader(io.StringIO(answer.text))) if target["type"] == "csv" else answer.json()
    )
    assert rows
    assert all(column["selector"] in row for column in target["columns"] for row in rows)
    _assert_kinds(rows, target["columns"])


def _assert_kinds(rows: list[dict[str, Any]], columns: list[dict[str, str]]) -> None:
    """JSON has numbers as numbers, and texts as texts, as the columns say."""
    kinds = {"number": (int, float), "boolean": bool, "string": str, "timestamp": str}
    for column in columns:
        values = [row[column["selector"]] for row in rows]
        assert all(v is None or isinstance(v, kinds[column["type"]]) for v in values)


@pytest.mark.requirement("M2")
def test_the_overview_says_which_source_fails_why_and_since_when(watched: Watched) -> None:
    (overview,) = (d for d in MADE if d["uid"] == "triaged-overview")
    (panel,) = (p for p in overview["panels"] if p["title"] == "Sources that fail now")
    in_a_row, since, success = (target["expr"] for target in panel["targets"])

    def by_source(expr: str) -> dict[str, tuple[str, float]]:
        return {
            found["metric"]["source"]: (found["metric"]["category"], float(found["value"][1]))
            for found in at_the_end(watched, expr)
        }

    wait_for(lambda: {"support", "sales"} <= set(by_source(in_a_row)))
    failing = by_source(in_a_row)
    assert failing["support"][0] == "authentication"
    assert failing["sales"][0] == "connection"
    assert failing["sales"][1] >= 1
    began, succeeded = by_source(since), by_source(success)
    assert {"support", "sales"} <= set(began)
    assert "sales" in succeeded
    assert "support" not in succeeded, "it never worked"
    assert watched.since - 1 <= succeeded["sales"][1] / 1000
    assert succeeded["sales"][1] <= began["sales"][1] <= time.time() * 1000
