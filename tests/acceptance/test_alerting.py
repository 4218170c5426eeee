"""Alerts, on the running product with real Prometheus and Alertmanager (requirement M3)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from alerts.source_alerts import source_alerts
from alerts.thresholds import load
from tests.support.alerting import Account, Mailbox, alerting, mailbox, missing_servers
from tests.support.alertmanager import Alertmanager
from tests.support.product import BAD, GOOD, ROOT, Product, wait_for
from tests.support.prometheus import Prometheus
from tests.support.receiver import Receiver

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_servers()), reason=f"not installed: {missing_servers()}"),
]

PIPELINES = """
[pipelines.quick]
run = "work:quick"
every = "500ms"
[pipelines.fine]
run = "work:fine"
every = "500ms"
[pipelines.refused]
run = "work:refused"
every = "500ms"
[pipelines.slow]
run = "work:slow"
every = "1h"
"""
WORK = """
import time


def quick(run):
    run.succeed("a")
    run.fail("b", "connection refused")
    run.fail("c", "the frobnicator was unfrobbed")


def fine(run):
    run.succeed("a")


def refused(run):
    raise RuntimeError("535 5.7.8 Authentication failed: bad username or password")


def slow(run):
    while not run.cancelled:
        run.progress(1, 2)
        time.sleep(0.05)
"""


@pytest.mark.requirement("M3")
def test_refused_credentials_reach_the_receiver_and_are_resolved_once_they_are_corrected(
    product: Product, tmp_path: Path
) -> None:
    with mailbox(product) as account:
        product.start()
        with alerting(product, tmp_path) as (prometheus, receiver):
            wait_for(lambda: prometheus.query("triaged_source_last_success_timestamp_seconds"))
            account.refuse()
            wait_for(lambda: product.failures(category="auth"))
            begun = time.monotonic()
            name = "TriagedAuthenticationFailing"
            told = wait_for(lambda: receiver.told(name, receiver="authentication"))
            print(f"failure to receiver: {time.monotonic() - begun:.1f} s")
            assert (told.labels["pipeline"], told.labels["source"]) == ("mail", "support")
            assert "support" in told.annotations["description"]
            assert "It has failed since" in told.annotations["description"]
            assert "credentials" in told.annotations["advice"]
            _follow_links(told.annotations)
            _compare_messages(receiver, told.annotations)
            account.correct()
            wait_for(lambda: receiver.told(name, "resolved", "authentication"))
            assert wait_for(lambda: receiver.told("TriagedWatchdog", receiver="watchdog"))
            assert {alert.name for alert in receiver.alerts} == {name, "TriagedWatchdog"}
    assert [failure["status"] for failure in product.failures(category="auth")] == ["resolved"]


def _follow_links(annotations: dict[str, str]) -> None:
    """Each leads to what it promises."""
    detail = httpx.get(annotations["detail_url"])
    assert detail.status_code == 200
    (failure,) = detail.json()["failures"]
    assert (failure["source"], failure["error_category"]) == ("support", "authentication")
    assert failure["email_address"] == Mailbox.USER
    assert failure["suggested_action"]
    runbook = httpx.get(annotations["runbook_url"])
    assert runbook.status_code == 200
    assert runbook.text.startswith("# TriagedAuthenticationFailing")
    dashboard = httpx.get(annotations["dashboard_url"])
    assert dashboard.status_code == 200
    assert dashboard.text.endswith("var-pipeline=mail&var-source=support")


def _compare_messages(receiver: Receiver, annotations: dict[str, str]) -> None:
    """Mail and Slack say the same."""
    mail = wait_for(lambda: receiver.mails and receiver.mails[0])
    assert "support" in mail["Subject"]
    text = mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
    slack = wait_for(lambda: receiver.slack and receiver.slack[0]["attachments"][0])
    assert "support" in slack["title"]
    html = mail.get_body(("html",)).get_content()
    for part in ("description", "cause", "advice"):
        assert annotations[part] in text
        assert annotations[part] in slack["text"]
        assert annotations[part] in html
    for link in ("detail_url", "dashboard_url", "runbook_url"):
        assert annotations[link] in text
        assert annotations[link] in slack["text"]
        assert annotations[link].replace("&", "&amp;") in html


ABOUT_SOURCES = {alert.name for alert in source_alerts(load())}
"""What else fires depends on how busy the machine is: cycles every 200 ms may be skipped."""


def _mend(product: Product) -> None:
    product.drop("bad.csv", GOOD)


def _ignore(product: Product) -> None:
    product.post("/api/ingestions/orders/files/ignore", {"paths": ["bad.csv"]})


def _quarantine(product: Product) -> None:
    product.post("/api/ingestions/orders/files/quarantine", {"paths": ["bad.csv"]})


@pytest.mark.requirement("I2", "M3", "M7")
@pytest.mark.parametrize("deal_with", [_mend, _ignore, _quarantine])
def test_a_broken_file_is_told_of_through_all_cycles_that_skip_it_until_it_is_dealt_with(
    product: Product, tmp_path: Path, deal_with: Callable[[Product], None]
) -> None:
    product.configure_orders()
    product.drop("good.csv", GOOD)
    product.drop("bad.csv", BAD)
    product.start()
    name = "TriagedFailuresOpen"
    with alerting(product, tmp_path, lasting="1s") as (prometheus, receiver):
        told = wait_for(lambda: receiver.told(name, receiver="tickets"))
        assert (told.labels["pipeline"], told.labels["source"]) == ("ingest", "orders")
        assert "orders" in told.annotations["description"]
        detail = httpx.get(told.annotations["detail_url"]).json()
        assert {failure["item"] for failure in detail["failures"]} == {"bad.csv"}
        cycles = "sum(triaged_cycles_total)"
        before = float(prometheus.query(cycles)[0]["value"][1])
        wait_for(lambda: float(prometheus.query(cycles)[0]["value"][1]) > before + 10)
        wait_for(lambda: prometheus.firing() & ABOUT_SOURCES == {name})
        deal_with(product)
        wait_for(lambda: receiver.told(name, "resolved", "tickets"))
        wait_for(lambda: not prometheus.firing() & ABOUT_SOURCES)
        assert {alert.name for alert in receiver.alerts} & ABOUT_SOURCES == {name}


@pytest.mark.requirement("M3")
def test_a_killed_daemon_is_reported_as_absent_and_nothing_else_pages(
    product: Product, tmp_path: Path
) -> None:
    Account(product)
    product.start()
    with alerting(product, tmp_path, lasting="1s") as (prometheus, receiver):
        wait_for(lambda: prometheus.query("triaged_source_last_success_timestamp_seconds"))
        product.kill()
        wait_for(lambda: receiver.told("TriagedAbsent", receiver="pages"))
        _let_it_evaluate(prometheus, 5)
        assert prometheus.firing() == {"TriagedAbsent", "TriagedWatchdog"}
        product.start()
        wait_for(lambda: receiver.told("TriagedAbsent", "resolved", "pages"))
        assert {alert.name for alert in receiver.alerts} <= {"TriagedAbsent", "TriagedWatchdog"}


@pytest.mark.requirement("M3", "S3")
def test_a_restart_raises_no_alert_and_no_time_jumps_to_1970(
    product: Product, tmp_path: Path
) -> None:
    Account(product)
    product.start()
    wait_for(lambda: "last_success" in product.http.get("/metrics").text)
    wait_for(lambda: product.metrics()[_COMPLETION] > 0)
    with alerting(product, tmp_path) as (prometheus, _):
        _let_it_evaluate(prometheus, 3)
        assert product.stop() == 0
        product.start()
        _let_it_evaluate(prometheus, 5)
        fired = prometheus.query(
            'count by (alertname) (last_over_time(ALERTS{alertstate="firing"}[5m]))'
        )
        assert {series["metric"]["alertname"] for series in fired} == {"TriagedWatchdog"}
        for name in ("cycle_last_completion", "cycle_next", "source_last_success"):
            series = f"triaged_{name}_timestamp_seconds"
            (earliest,) = prometheus.query(f"min_over_time({series}[5m])")
            assert float(earliest["value"][1]) > 1_700_000_000


_COMPLETION = 'triaged_cycle_last_completion_timestamp_seconds{pipeline="accounts"}'


@pytest.mark.requirement("M3")
def test_every_rule_is_evaluated_and_finds_the_series_that_it_names(
    product: Product, tmp_path: Path
) -> None:
    (product.folder / "work.py").write_text(WORK)
    product.configure(PIPELINES)
    product.start()
    with alerting(product, tmp_path) as (prometheus, _):
        text = "".join(path.read_text() for path in (ROOT / "alerts/rules").glob("*.yml"))
        named = set(re.findall(r"\b(?:triaged_|pipeline:|source:)[\w:]+(?=[{ )])", text))
        assert len(named) > 30
        missing = set(named)
        wait_for(lambda: not missing.difference_update(_known(prometheus)) and not missing)
        _let_it_evaluate(prometheus, 1)
        rules = prometheus.rules()
        assert len(rules) > 30
        assert [rule for rule in rules if rule["health"] != "ok" or rule.get("lastError")] == []


SILENCED = [
    ("TriagedAbsent critical", "TriagedErrorBudgetBurn critical"),
    ("TriagedAuthenticationFailing warning", "TriagedSourceNoSuccess critical"),
    ("TriagedSourceFailing warning", "TriagedSourceNoSuccess warning"),
    ("TriagedSourceFailing warning", "TriagedFailuresOpen warning"),
    ("TriagedAuthenticationFailing warning", "TriagedFailuresOpen critical"),
    ("TriagedSourceNoSuccess critical", "TriagedFailuresOpen critical"),
    ("TriagedRunStalled critical", "TriagedCyclesSkipped warning"),
    ("TriagedSourceNoSuccess critical", "TriagedSourceNoSuccess warning"),
]
"""What fires, and what it silences for the same labels, and for no others."""


@pytest.mark.requirement("M3")
@pytest.mark.parametrize(("cause", "consequence"), SILENCED)
def test_an_alert_silences_what_follows_from_it_and_only_for_the_same_daemon_and_source(
    cause: str, consequence: str, tmp_path: Path
) -> None:
    receiver = Receiver()
    alertmanager = Alertmanager(tmp_path / "alertmanager")
    try:
        alertmanager.start(receiver)
        alerts = [
            _labels(cause, "here"),
            _labels(consequence, "here"),
            _labels(consequence, "elsewhere"),
            _labels("TriagedWatchdog info", "here"),
        ]
        answer = alertmanager.http.post("/api/v2/alerts", json=[{"labels": a} for a in alerts])
        assert answer.status_code == 200, answer.text
        name = consequence.split(maxsplit=1)[0]
        told = wait_for(lambda: receiver.told(name) and receiver.told("TriagedWatchdog"))
        assert told
        listed = alertmanager.http.get("/api/v2/alerts").json()
        silent = [a["labels"] for a in listed if a["status"]["state"] == "suppressed"]
        assert silent == [_labels(consequence, "here")]
    finally:
        alertmanager.stop()
        receiver.close()


def _labels(alert: str, instance: str) -> dict[str, str]:
    name, severity = alert.split()
    labels = {"alertname": name, "severity": severity, "job": "triaged", "instance": instance}
    if name not in ("TriagedAbsent", "TriagedWatchdog"):
        labels |= {"pipeline": "mail", "source": "support"}
    return labels


def _known(prometheus: Prometheus) -> set[str]:
    """The names of all series that have a value now."""
    found = prometheus.query('count by (__name__) ({__name__=~".+"})')
    return {series["metric"]["__name__"] for series in found}


def _let_it_evaluate(prometheus: Prometheus, times: int) -> None:
    """Waits till the rules have been evaluated so many times more."""

    def latest() -> str:
        rules = prometheus.rules()
        return next(r["lastEvaluation"] for r in rules if r["name"] == "TriagedWatchdog")

    seen = {latest()}
    wait_for(lambda: seen.add(latest()) or len(seen) > times)
