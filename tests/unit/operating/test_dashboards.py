"""Dashboards: Grafana's rules hold, the layout is sane, and what they ask for and link to exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from alerts.rule import Dashboard
from alerts.thresholds import FILE, load
from dashboards.layout import COLUMNS, evenly
from dashboards.make import FOLDER, dashboard_files, dashboards
from dashboards.panels import text
from dashboards.rest import INFINITY
from tests.support.grafana import Choices, asked, expressions, replaced
from tests.support.product import ROOT
from tests.unit.dashboard_linter import SELECTOR, complaints, variables

MADE = {dashboard["uid"]: dashboard for dashboard in dashboards()}
PANELS = [
    pytest.param(dashboard, panel, id=f"{dashboard['uid']}: {panel['title']}")
    for dashboard in MADE.values()
    for panel in dashboard["panels"]
    if panel["type"] not in ("row", "text")
]
each_dashboard = pytest.mark.parametrize("dashboard", MADE.values(), ids=MADE)
each_panel = pytest.mark.parametrize(("dashboard", "panel"), PANELS)
PROVISIONING = sorted((ROOT / "dashboards/provisioning").glob("*/*.yaml"))


def written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace('\\"', '"')


def test_the_linter_complains_of_nothing_but_what_is_excluded_with_a_reason() -> None:
    excluded = yaml.safe_load((FOLDER / ".lint").read_text())["exclusions"]
    entries = [
        (rule, entry["dashboard"], entry.get("panel"))
        for rule, listed in excluded.items()
        for entry in listed["entries"]
    ]
    assert all(e["reason"] for listed in excluded.values() for e in listed["entries"])
    found = [tuple(c) for dashboard in MADE.values() for c in complaints(dashboard)]
    assert Counter(entries) == Counter(found)


def test_a_key_that_grafana_does_not_know_is_found() -> None:
    plugins.register_default_plugins()
    made = json.loads(json.dumps(MADE[Dashboard.DAEMON]))
    made["panels"][1]["fieldConfig"]["defaults"]["units"] = "s"
    read = json.loads(JSONEncoder().encode(model.Dashboard.from_json(made)))
    assert list(lost(made, read)) == ["/panels/1/fieldConfig/defaults/units"]


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ('sum(triaged_runs_active{job=~"$job"})', "target-instance-rule"),
        ('sum(triaged_runs_active{instance=~"$instance"})', "target-job-rule"),
        ('triaged_runs_total{job=~"$job", instance=~"$instance"}', "target-counter-agg-rule"),
        ('rate(x{job=~"$job", instance=~"$instance"}[5m])', "target-rate-interval-rule"),
        ("", "target-promql-rule"),
    ],
)
def test_the_linter_sees_a_query_that_breaks_a_rule(broken: str, rule: str) -> None:
    (daemon,) = (d for d in dashboards() if d["uid"] == Dashboard.DAEMON)
    daemon["panels"][1]["targets"][0]["expr"] = broken
    assert (rule, daemon["panels"][1]["title"]) in {(c.rule, c.panel) for c in complaints(daemon)}


def test_graphs_with_exemplars_ask_for_metrics_that_have_some_and_lead_to_the_run() -> None:
    asking = [
        (panel["title"], target)
        for dashboard in MADE.values()
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
        if target.get("exemplar")
    ]
    assert {title for title, _ in asking} == {
        *("New failures by category", "New by category"),
        *("Runs that ended", "How long runs take"),
    }
    have_some = r"triaged_(failures_total|runs_total|run_duration_seconds_bucket)\{"
    assert all(re.search(have_some, target["expr"]) for _, target in asking)
    provisioned = yaml.safe_load(
        (ROOT / "dashboards/provisioning/datasources/triaged.yaml").read_text()
    )
    (destination,) = provisioned["datasources"][0]["jsonData"]["exemplarTraceIdDestinations"]
    assert destination["name"] == "run_id"
    assert destination["url"].startswith("${TRIAGED_LINK}/api/runs/")


def test_every_dashboard_that_alerts_lead_to_is_there() -> None:
    assert set(MADE) == set(Dashboard)
    assert all(8 <= len(uid) <= 40 for uid in MADE)
    assert all(d["schemaVersion"] == 42 and "id" not in d for d in MADE.values())


@each_dashboard
def test_ids_and_titles_of_panels_are_unique(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)


@each_dashboard
def test_panels_fill_the_dashboard_without_gaps_or_overlaps(dashboard: dict[str, Any]) -> None:
    cells = Counter(
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    )
    assert set(cells.values()) == {1}
    bottom = max(y for _, y in cells) + 1
    assert set(cells) == {(x, y) for x in range(COLUMNS) for y in range(bottom)}


def test_what_somebody_needs_at_night_is_on_the_first_screen() -> None:
    """Of about 25 units of height: the figures, what fails now and since when, and what to do."""
    seen = [p["title"] for p in MADE[Dashboard.OVERVIEW]["panels"] if p["gridPos"]["y"] <= 16]
    assert {"Daemon", "Alerts firing", "Sources that fail now", "Alerts over time"} <= set(seen)
    assert "What fails, since when, and what to do" in seen


def test_a_line_that_is_not_full_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fill the line"):
        evenly(4, *(text(str(n), "", "") for n in range(5)))


@each_dashboard
def test_every_variable_that_is_used_exists(dashboard: dict[str, Any]) -> None:
    used = set(re.findall(r"\$\{?([a-z]\w*)", written(dashboard)))
    assert used - set(variables(dashboard)) == set()
    unused = set(variables(dashboard)) - used
    assert unused <= {"runbooks", "api"}


@each_dashboard
def test_links_lead_to_dashboards_and_variables_that_exist(dashboard: dict[str, Any]) -> None:
    links = re.findall(r'"url": "/d/([\w-]+)\?(.*?)"[,}]', written(dashboard))
    for uid, query in links:
        chosen = set(re.findall(r"var-(\w+)=", query))
        assert chosen <= set(variables(MADE[uid]))
    assert len(links) == written(dashboard).count('"url": "/d/')


def test_alerts_lead_to_variables_that_their_dashboard_has() -> None:
    rules = yaml.safe_load((ROOT / "alerts/rules/alerts.yml").read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len(alerts) > 15
    for alert in alerts:
        address = alert["annotations"]["dashboard_url"]
        found = re.search(r"/d/([\w-]+)(.*)$", address)
        assert found is not None
        assert set(re.findall(r"var-(\w+)=", found[2])) <= set(variables(MADE[found[1]])), address


@each_panel
def test_links_take_columns_and_labels_that_the_panel_has(
    dashboard: dict[str, Any], panel: dict[str, Any]
) -> None:
    said = written(panel)
    titles = {column["text"] for t in panel["targets"] for column in t.get("columns", ())}
    for step in panel.get("transformations", ()):
        titles |= set(step["options"].get("renameByName", {}).values())
        titles |= set(step["options"].get("include", {}).get("names", ()))
    assert set(re.findall(r'\$\{__data\.fields\["([^"]+)"\]\}', said)) <= titles
    labels = set(re.findall(r"\$\{__field\.labels\.(\w+)\}", said))
    for target in panel["targets"]:
        grouped = re.findall(r"by \(([^)]*)\)", target.get("expr", ""))
        known = {label.strip() for by in grouped for label in by.split(",")}
        known |= {c["text"] for c in target.get("columns", ()) if c["type"] == "string"}
        assert labels <= known
    overridden = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
    if panel["type"] == "table":
        assert overridden <= titles


@each_dashboard
def test_grafanas_own_model_of_dashboards_knows_every_key(dashboard: dict[str, Any]) -> None:
    """Read into its records and written again, nothing is lost: what it does not know it drops."""
    plugins.register_default_plugins()
    made = json.loads(json.dumps(dashboard))
    read = model.Dashboard.from_json(made)
    assert list(lost(made, json.loads(JSONEncoder(sort_keys=True).encode(read)))) == []


def lost(made: Any, read: Any, path: str = "") -> Iterator[str]:
    """Where something is missing or different. Defaults may have come to it."""
    if isinstance(made, dict) and isinstance(read, dict):
        for key, value in made.items():
            yield from lost(value, read[key], f"{path}/{key}") if key in read else [f"{path}/{key}"]
    elif isinstance(made, list) and isinstance(read, list) and len(made) == len(read):
        for number, (one, other) in enumerate(zip(made, read, strict=True)):
            yield from lost(one, other, f"{path}/{number}")
    elif made != read:
        yield path


def test_every_query_is_valid_promql(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    found = {expr for dashboard in MADE.values() for expr in expressions(dashboard)}
    rules = [
        {"record": f"query:{number}", "expr": replaced(expr, Choices())}
        for number, expr in enumerate(sorted(found))
    ]
    assert len(rules) > 80
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    checked = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_only_metrics_that_exist_are_asked_for_and_every_metric_is_shown() -> None:
    documented = set(
        re.findall(r"^\| `(triaged_\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    )
    recorded = set(re.findall(r"record: (\S+)", (ROOT / "alerts/rules/recording.yml").read_text()))
    asked_for = {
        re.sub(r"_seconds_(bucket|count|sum)$", "_seconds", name)
        for dashboard in MADE.values()
        for expr in expressions(dashboard)
        for name, _ in SELECTOR.findall(expr)
    }
    ours = {name for name in asked_for if name.startswith(("triaged_", "pipeline:", "source:"))}
    assert ours - documented - recorded == set()
    others = {"up", "ALERTS", "scrape_duration_seconds", "scrape_samples_scraped"}
    assert all(n in others or n.startswith(("process_", "python_gc_")) for n in asked_for - ours)
    through_rules = {"triaged_failures_retryable_ratio"}
    assert documented - ours - through_rules == set()


@each_dashboard
def test_the_rest_api_has_the_paths_parameters_and_columns_that_are_asked_for(
    dashboard: dict[str, Any],
) -> None:
    document = json.loads((ROOT / "docs/openapi.json").read_text())
    for target in asked(dashboard):
        operation = document["paths"][target["url"]]["get"]
        parameters = {parameter["name"] for parameter in operation["parameters"]}
        assert {p["key"] for p in target["url_options"]["params"]} <= parameters
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
        row = document["components"]["schemas"][answer["items"]["$ref"].rsplit("/", 1)[1]]
        assert {column["selector"] for column in target["columns"]} <= set(row["properties"])


@pytest.mark.parametrize(
    ("setting", "changed", "shown"),
    [
        ("pending = 1000", "pending = 4321", 4321),
        ("above = 0.3 ", "above = 0.123 ", 0.123),
        ("below = 0.2 ", "below = 0.111 ", 0.111),
        ("objective = 0.95", "objective = 0.875", 0.125),
        ("ratio = 0.25", "ratio = 0.4375", 0.4375),
        ("limit_bytes = 20_000_000_000", "limit_bytes = 777", 777),
        ("least_free_bytes = 1_000_000_000", "least_free_bytes = 778", 778),
        ("skipped_more_than = 2", "skipped_more_than = 17", 17),
        ("more_than = 3 ", "more_than = 18 ", 19),
        ("consecutive = 3", "consecutive = 23", 23),
    ],
)
def test_thresholds_are_those_of_the_alerts(setting: str, changed: str, shown: float) -> None:
    settings = FILE.read_text()
    assert setting in settings
    made = dashboards(load(settings.replace(setting, changed)))
    steps = [
        step["value"]
        for dashboard in made
        for panel in dashboard["panels"]
        if "fieldConfig" in panel
        for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    ]
    assert shown in steps


def test_links_to_the_api_and_runbooks_are_those_of_the_alerts() -> None:
    elsewhere = FILE.read_text().replace("triaged.example.com", "elsewhere.example.com")
    made = dashboards(load(elsewhere))
    assert all(variables(d)["api"]["query"] == "http://elsewhere.example.com:8080" for d in made)


def test_every_file_belongs_to_a_dashboard() -> None:
    assert {path for path, _ in dashboard_files()} == set(FOLDER.iterdir())


@pytest.mark.parametrize("file", PROVISIONING, ids=lambda path: path.parent.name)
def test_provisioning_is_yaml_without_secrets_whose_dollars_mean_something(file: Path) -> None:
    settings = yaml.safe_load(file.read_text())
    assert settings["apiVersion"] == 1
    values = json.dumps(settings)
    dollars = re.findall(r"\$\$|\$\{[A-Z_]+\}|\$__file\{/[^}$]+\}", values)
    assert sum(found.count("$") for found in dollars) == values.count("$")


def test_data_sources_are_of_the_kinds_that_dashboards_ask() -> None:
    (file,) = (path for path in PROVISIONING if path.parent.name == "datasources")
    found = {source["type"]: source for source in yaml.safe_load(file.read_text())["datasources"]}
    assert set(found) == {"prometheus", "alertmanager", INFINITY["type"]}
    assert len({source["uid"] for source in found.values()}) == 3
    infinity = found[INFINITY["type"]]
    assert infinity["jsonData"]["allowedHosts"] == [infinity["url"]]
    assert infinity["secureJsonData"]["bearerToken"].startswith("$__file{")
    asked_for = {
        v["query"]
        for d in MADE.values()
        for v in variables(d).values()
        if v["type"] == "datasource"
    }
    assert asked_for <= set(found)
