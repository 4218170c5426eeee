"""Manifests for Kubernetes: valid, and with the same rules and dashboards as everywhere."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from alerts.thresholds import FILE, load
from daemon.cli.connections import MOST_DESCRIPTORS
from daemon.cli.main import Exit
from daemon.config.schema import Config
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
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == set(MADE)


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


def test_the_workload_is_one_daemon_that_its_monitoring_finds() -> None:
    text = (FOLDER / "workload/triaged.yaml").read_text()
    found = {document["kind"]: document for document in yaml.safe_load_all(text)}
    spec = found["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    image = (ROOT / "Dockerfile").read_text()
    assert f"--uid {pod['securityContext']['runAsUser']} " in image
    assert f"EXPOSE {container['ports'][0]['containerPort']}" in image
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    (monitor,) = of_kind("ServiceMonitor")
    service = found["Service"]
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"] == spec["selector"]["matchLabels"]
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    claim = found["PersistentVolumeClaim"]["metadata"]["name"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)


def test_the_unit_waits_longer_than_a_stop_may_take_and_gives_up_where_trying_again_is_no_use() -> (
    None
):
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "deploy/systemd/triaged.service")
    service = unit["Service"]
    assert int(service["TimeoutStopSec"]) > Config().server.grace + 15
    final = {str(int(code)) for code in (Exit.CONFIG, Exit.STORE, Exit.ADDRESS)}
    assert set(service["RestartPreventExitStatus"].split()) == final
    assert service["UMask"] == "0077"
    assert int(service["LimitNOFILE"]) >= MOST_DESCRIPTORS
