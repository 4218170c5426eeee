"""Manifests for the Prometheus operator and Grafana's sidecar, from the rules and dashboards."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

from alerts.make import rule_files
from alerts.thresholds import Thresholds, load
from dashboards.make import dashboards

FOLDER = Path(__file__).parent / "kubernetes"

_HEADER = "# Made from alerts/thresholds.toml and dashboards/ by `make docs`. Do not edit.\n"

_SERVICE_MONITOR = """\
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: triaged
  labels:
    app.kubernetes.io/name: triaged
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: triaged
  endpoints:
    - port: http
      path: /metrics
      interval: 15s
      authorization:              # a key of triaged that may read
        credentials:
          name: triaged-keys
          key: prometheus
      relabelings:                # the job that the rules look at
        - targetLabel: job
          replacement: {job}
"""

_RULE = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: triaged-{name}
  labels:
    app.kubernetes.io/name: triaged
spec:
{spec}"""

_CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {uid}-dashboard
  labels:
    app.kubernetes.io/name: triaged
    grafana_dashboard: "1"        # what Grafana's sidecar looks for
  annotations:
    grafana_folder: triaged
data:
  {uid}.json: |-
    {text}
"""


def manifest_files(thresholds: Thresholds | None = None) -> Iterator[tuple[Path, str]]:
    """Every manifest with its content."""
    chosen = thresholds or load()
    monitor = _SERVICE_MONITOR.format(job=json.dumps(chosen.target.job))
    yield FOLDER / "service-monitor.yaml", _documents([monitor])
    yield FOLDER / "prometheus-rules.yaml", _documents(_rules(chosen))
    yield FOLDER / "dashboards.yaml", _documents(map(_config_map, dashboards(chosen)))


def _documents(texts: Iterable[str]) -> str:
    return _HEADER + "---\n" + "---\n".join(texts)


def _rules(thresholds: Thresholds) -> Iterator[str]:
    """A rule file is what such an object has as its `spec`."""
    for path, text in rule_files(thresholds):
        lines = (line for line in text.splitlines(keepends=True) if not line.startswith("#"))
        yield _RULE.format(name=path.stem, spec=indent("".join(lines), "  "))


def _config_map(dashboard: dict[str, Any]) -> str:
    """Without line breaks: for reading there is `dashboards/json`."""
    text = json.dumps(dashboard, ensure_ascii=False, separators=(",", ":"))
    return _CONFIG_MAP.format(uid=dashboard["uid"], text=text)
