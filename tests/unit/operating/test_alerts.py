"""Alerts: the settings they are made from, and that each is tested, explained and routed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
import yaml

from alerts.advice import ADVICE
from alerts.make import alert_groups, rule_files
from alerts.rule import Alert
from alerts.source_alerts import BLOCKED, OTHERS
from alerts.thresholds import FILE, load, settings
from daemon.cli.arguments import make_parser
from daemon.taxonomy import Category
from tests.support.product import ROOT

FOLDER = ROOT / "alerts"
ALERTS: list[Alert] = [alert for group in alert_groups(load()).values() for alert in group]
NAMES = sorted({alert.name for alert in ALERTS})
TEST_FILES = sorted((FOLDER / "tests").glob("*.yml"))
RUNBOOKS = sorted((FOLDER / "runbooks").glob("*.md"))
OPENAPI = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
METRICS = set(
    re.findall(r"^\| `(triaged_\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
)


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")


def checked(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- settings and rules ------------------------------------------------------------------------


def test_a_mistake_in_the_thresholds_is_refused_with_its_place() -> None:
    text = FILE.read_text()
    with pytest.raises(msgspec.ValidationError, match=r"absent\.lasting"):
        load(re.sub(r'(\[absent\]\nlasting = )"1m"', r'\1"soon"', text))
    with pytest.raises(msgspec.ValidationError, match="unknown field `colour`"):
        load(text + 'colour = "red"\n')


def test_thresholds_and_links_reach_the_rules() -> None:
    text = FILE.read_text().replace('job = "triaged"', 'job = "mine"')
    text = text.replace('matchers = ""', "matchers = 'namespace=\"prod\"'")
    text = text.replace("consecutive = 3", "consecutive = 7")
    text = text.replace('# nightly = "1d"', 'nightly = "1d"')
    text = text.replace("http://grafana.example.com:3000", "https://grafana.test")
    recording, alerting = (content for _, content in rule_files(load(text)))
    assert 'job=\\"triaged\\"' not in alerting
    assert 'triaged_source_consecutive_failures{job="mine", namespace="prod"} >= 7' in alerting
    assert "https://grafana.test/d/triaged-sources" in alerting
    nightly = 'triaged_cycle_interval_seconds{job="mine", namespace="prod", pipeline="nightly"} * 0 + 86400'
    assert nightly in recording


def test_what_is_written_reads_back_as_the_same_alerts() -> None:
    _, (_, text) = rule_files()
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    assert [rule["alert"] for rule in rules] == [alert.name for alert in ALERTS]
    for rule, alert in zip(rules, ALERTS, strict=True):
        assert rule["expr"] == alert.expr
        assert rule["labels"]["severity"] == alert.severity
        assert rule["annotations"]["description"] == alert.description


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.severity}")
def test_an_alert_is_well_formed(alert: Alert) -> None:
    assert re.fullmatch(r"Triaged[A-Z][A-Za-z]+", alert.name)
    assert "{{" not in alert.summary
    assert alert.summary.endswith(".")
    assert alert.advice
    assert _is_answered("get", alert.detail)


def test_every_category_has_advice_and_an_alert() -> None:
    assert set(ADVICE) == set(Category)
    assert {Category.AUTHENTICATION, *BLOCKED, *OTHERS} == set(Category)


@needs("promtool")
def test_promtool_accepts_the_rules_and_the_configuration() -> None:
    checked("promtool", "check", "rules", *(path for path, _ in rule_files()))
    checked("promtool", "check", "config", FOLDER / "prometheus.yml")


@needs("promtool")
@pytest.mark.slow
@pytest.mark.requirement("M3")
@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.stem)
def test_alerts_fire_when_they_should_and_not_a_step_before(file: Path) -> None:
    checked("promtool", "test", "rules", file)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.severity}")
def test_every_alert_is_tested_silent_and_firing_with_its_annotations(alert: Alert) -> None:
    found = [
        (check.get("exp_alerts") or [])
        for file in TEST_FILES
        for test in yaml.safe_load(file.read_text())["tests"]
        for check in test["alert_rule_test"]
        if check["alertname"] == alert.name
    ]
    labels = {"severity": str(alert.severity), **alert.labels}
    firing = [
        [e for e in expected if labels.items() <= e["exp_labels"].items()] for expected in found
    ]
    assert any(firing)
    assert all(expected[0]["exp_annotations"]["runbook_url"] for expected in firing if expected)
    assert not all(firing) or alert.name == "TriagedWatchdog"


# --- Alertmanager ------------------------------------------------------------------------------


@needs("amtool")
@pytest.mark.requirement("M3")
def test_amtool_accepts_the_configuration() -> None:
    checked("amtool", "check-config", FOLDER / "alertmanager.yml")


ROUTES = {
    ("TriagedAuthenticationFailing", "warning"): "authentication,nobody",
    ("TriagedAuthenticationFailing", "critical"): "authentication,pages",
    ("TriagedWatchdog", "info"): "watchdog",
    ("TriagedLiveClientsDropped", "info"): "nobody",
}


@needs("amtool")
@pytest.mark.requirement("M3")
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.severity}")
def test_an_alert_goes_to_its_receiver(alert: Alert) -> None:
    by_severity = "pages" if alert.severity == "critical" else "tickets"
    expected = ROUTES.get((alert.name, str(alert.severity)), by_severity)
    checked(
        *("amtool", "config", "routes", "test"),
        f"--config.file={FOLDER / 'alertmanager.yml'}",
        f"--verify.receivers={expected}",
        f"alertname={alert.name}",
        f"severity={alert.severity}",
        *("job=triaged", "instance=triaged:8080", "pipeline=mail", "source=support"),
    )


def test_inhibition_names_alerts_that_exist_and_never_silences_absence_or_the_watchdog() -> None:
    rules = yaml.safe_load((FOLDER / "alertmanager.yml").read_text())["inhibit_rules"]
    for rule in rules:
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]:
            for name in re.findall(r"Triaged[A-Z]\w+", matcher):
                assert name in NAMES
        if any("Triaged.+" in matcher for matcher in rule["target_matchers"]):
            assert 'alertname !~ "TriagedAbsent|TriagedWatchdog"' in rule["target_matchers"]
        assert "job" in rule["equal"]


# --- runbooks ----------------------------------------------------------------------------------


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert [file.stem for file in RUNBOOKS] == NAMES


@pytest.mark.parametrize("file", RUNBOOKS, ids=lambda file: file.stem)
def test_a_runbook_says_what_to_do_with_commands_and_paths_that_exist(file: Path) -> None:
    text = file.read_text()
    assert text.startswith(f"# {file.stem}\n")
    for heading in (
        "## What it means",
        "## What to look at",
        "## What to do",
        "## When it goes away",
    ):
        assert heading in text
    commands = re.findall(r"^    triaged (.+)$|`triaged ([^`]+)`", text, re.MULTILINE)
    for listed, inline in commands:
        _parse(listed or inline)
    requests = re.findall(r"\b(GET|POST) (/[^\s`]+)", text)
    assert commands or requests
    assert [
        request for request in requests if not _is_answered(request[0].lower(), request[1])
    ] == []
    assert set(re.findall(r"\btriaged_\w+", text)) <= METRICS


def _parse(command: str) -> None:
    """Fails when the command line does not know the command or one of its options."""
    try:
        make_parser().parse_args(command.split())
    except SystemExit as end:
        raise AssertionError(f"triaged {command}") from end


def _is_answered(method: str, address: str) -> bool:
    """Whether the API has the path and knows the parameters of its query."""
    parts = urlsplit(re.sub(r"{{.*?}}", "X", address))
    for path, operations in OPENAPI.items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
        if re.fullmatch(pattern, parts.path) and method in operations:
            known = {p["name"] for p in operations[method].get("parameters", [])}
            return {name for name, _ in parse_qsl(parts.query)} <= known
    return False


# --- docs --------------------------------------------------------------------------------------


def test_every_alert_and_every_setting_is_documented() -> None:
    text = (ROOT / "docs/alerts.md").read_text()
    assert [name for name in NAMES if f"](../alerts/runbooks/{name}.md)" not in text] == []
    assert [name for name in sorted(settings()) if f"`{name}`" not in text] == []
