"""Makes `alerts/rules/*.yml` from `thresholds.toml`; `make docs` does so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alerts.cycle_alerts import cycle_alerts
from alerts.daemon_alerts import daemon_alerts
from alerts.failure_alerts import failure_alerts
from alerts.recording import recordings
from alerts.rule import Alert, Group
from alerts.rule_file import written
from alerts.source_alerts import source_alerts
from alerts.thresholds import Thresholds, load

FOLDER = Path(__file__).parent


def alert_groups(thresholds: Thresholds) -> dict[str, list[Alert]]:
    """All alerts, by the name of their group."""
    return {
        "triaged-sources": source_alerts(thresholds),
        "triaged-failures": failure_alerts(thresholds),
        "triaged-cycles": cycle_alerts(thresholds),
        "triaged-daemon": daemon_alerts(thresholds),
    }


def rule_files(thresholds: Thresholds | None = None) -> Iterator[tuple[Path, str]]:
    """Every rule file with its content."""
    chosen = thresholds or load()
    recorded = [Group("triaged-recording", recordings(chosen))]
    alerting = [Group(name, alerts) for name, alerts in alert_groups(chosen).items()]
    yield FOLDER / "rules/recording.yml", written(recorded, chosen.links)
    yield FOLDER / "rules/alerts.yml", written(alerting, chosen.links)
