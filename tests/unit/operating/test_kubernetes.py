"""Manifests for Kubernetes: valid, and with the same rules and dashboards as everywhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from alerts.thresholds import FILE, load
from dashboards.make import dashboards
from deploy.manifests import FOLDER, manifest_files
from tests.support.product import ROOT

MADE = {path.name: list(yaml.safe_load_all(text)) for path, text in manifest_files()}
OBJECTS = [found for documents in MADE.values() for found in documents]
LARGEST = 1_000_000
"""Bytes of a ConfigMap, a little less than what Kubernetes takes."""


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [found for found in OBJECTS if found["kind"] == kind]


def test_every_object_says_what_it_is_and_has_a_name_of_its_own() -> None:
    names = [(found["apiVersion"], found["kind"], found["metadata"]["name"]) for found in OBJECTS]
    assert len(set(names)) == len(names) == 1 + 2 + 5
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for *_, name in names)
    assert {path.name for path in FOLDER.iterdir()} == set(MADE)


def test_rules_are_those_of_the_rule_files(tmp_path: Path) -> None:
    for found in of_kind("PrometheusRule"):
        name = found["metadata"]["name"].removeprefix("triaged-")
        shipped = (ROOT / f"alerts/rules/{name}.yml").read_text()
        assert found["spec"] == yaml.safe_load(shipped)
        if shutil.which("promtool"):
            file = tmp_path / f"{name}.yml"
            file.write_text(yaml.safe_dump(found["spec"]))
            subprocess.run(["promtool", "check", "rules", str(file)], check=True)


def test_dashboards_are_those_of_the_json_files() -> None:
    held = [found["data"] for found in of_kind("ConfigMap")]
    assert all(len(json.dumps(data)) < LARGEST for data in held)
    texts = [text for data in held for text in data.values()]
    assert [json.loads(text) for text in texts] == dashboards()


def test_what_is_scraped_gets_the_job_that_the_rules_look_at() -> None:
    (monitor,) = of_kind("ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": load().target.job}]
    elsewhere = load(FILE.read_text().replace('job = "triaged"', 'job = "nightly"'))
    changed = dict(manifest_files(elsewhere))[FOLDER / "service-monitor.yaml"]
    assert 'replacement: "nightly"' in changed
