"""The containers: files that tools accept, and that agree with each other and with what they mount."""

from __future__ import annotations

import fnmatch
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon import __version__
from deploy import containers
from deploy.healthcheck import check
from tests.support.compose import (
    FILES,
    Container,
    instructions,
    mounts,
    services,
    the_only,
    volumes,
)
from tests.support.product import ROOT

pytestmark = pytest.mark.requirement("M5")

DEMO = services(demo=True)
RUNNING = {name: service for name, service in DEMO.items() if service["restart"] != "no"}
STAGES = ("base", "build", "mail", "triaged")
MAPPED = r"\b(?:http://)?([a-z]+):(\d{4,5})\b"


def installed(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(tool), reason=f"{tool} is not installed")


def shipped(name: str) -> str:
    return (ROOT / name).read_text()


@installed("docker-compose")
@pytest.mark.parametrize("count", [1, 2])
def test_compose_accepts_the_files(count: int) -> None:
    files = [word for name in FILES[:count] for word in ("--file", name)]
    done = subprocess.run(
        ["docker-compose", *files, "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_service_is_confined_bounded_and_looked_after() -> None:
    assert set(RUNNING) == {"triaged", "prometheus", "alertmanager", "grafana", "mail"}
    for name, service in DEMO.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"\d+m", service["mem_limit"]), name
        assert "privileged" not in service, name
    for name, service in RUNNING.items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] == "CMD", name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} is open to the network"


def test_images_have_a_version_and_no_registry() -> None:
    images = [service["image"] for service in DEMO.values() if "build" not in service]
    images += [i.rest.split()[0] for i in instructions("base") if i.word == "FROM"]
    assert len(images) == 4
    for image in images:
        assert re.fullmatch(r"(?:[a-z]+/)?[a-z]+:v?\d+\.\d+\.\d+(?:-[a-z-]+)?", image), image


def test_services_wait_for_what_exists_and_can_be_waited_for() -> None:
    for name, service in DEMO.items():
        for other, how in service.get("depends_on", {}).items():
            ends = DEMO[other]["restart"] == "no"
            expected = (
                ["service_completed_successfully"]
                if ends
                else ["service_healthy", "service_started"]
            )
            assert how["condition"] in expected, f"{name} waits for {other}"


def test_what_is_mounted_is_in_the_repository_or_a_volume() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    for service in [*services().values(), *DEMO.values()]:
        for mount in mounts(service):
            if mount.path is None:
                assert mount.source in volumes()
            else:
                source = mount.source.removeprefix("./")
                kept = [file for file in listed if file == source or file.startswith(f"{source}/")]
                assert kept, f"a fresh checkout has no {source}"
                assert not mount.writable, f"{source} could be changed"


def ports(name: str) -> set[str]:
    """What a service's container listens on: published, or exposed by its image."""
    service = DEMO[name]
    found = {port.rsplit(":", 1)[1] for port in service.get("ports", [])}
    if "build" in service:
        found.add(the_only(service["build"]["target"], "EXPOSE").rest)
    return found


def test_hosts_and_ports_agree() -> None:
    texts = [shipped("deploy/compose/prometheus.yml"), *DEMO["grafana"]["environment"].values()]
    named = [
        match for text in texts for match in re.findall(MAPPED, text) if match[0] != "localhost"
    ]
    mail = tomllib.loads(shipped("deploy/compose/demo.toml"))["pipelines"]["mail"]["sources"]
    named += [(account["host"], str(account["port"])) for account in mail.values()]
    assert {host for host, _ in named} == {"triaged", "prometheus", "alertmanager", "mail"}
    assert [(host, port) for host, port in named if port not in ports(host)] == []
    for config in ("triaged.toml", "demo.toml"):
        listen = tomllib.loads(shipped(f"deploy/compose/{config}"))["server"]["listen"]
        assert listen == f"0.0.0.0:{the_only('triaged', 'EXPOSE').rest}"


def test_health_checks_ask_the_container_itself_at_its_port() -> None:
    for name, service in RUNNING.items():
        asked = re.findall(r"127\.0\.0\.1[':, ]+(\d+)", " ".join(service["healthcheck"]["test"]))
        assert set(asked) <= ports(name), name
    for name, stage in (("triaged", "triaged"), ("mail", "mail")):
        written = the_only(stage, "HEALTHCHECK").exec_form
        assert DEMO[name]["healthcheck"]["test"] == ["CMD", *written]


def provisioning() -> str:
    """Everything that Grafana reads there, without comments."""
    files = (ROOT / "dashboards/provisioning").rglob("*.yaml")
    return "".join(str(yaml.safe_load(path.read_text())) for path in files)


def in_volume(name: str, path: str) -> tuple[str, str]:
    """The volume that a path of a service lies in, and its name there."""
    (mount,) = [m for m in mounts(DEMO[name]) if path.startswith(f"{m.target}/")]
    return mount.source, path.removeprefix(f"{mount.target}/")


def test_each_key_is_read_where_it_was_written_and_by_nobody_else() -> None:
    (scrape,) = yaml.safe_load(shipped("deploy/compose/prometheus.yml"))["scrape_configs"]
    (asked_by_grafana,) = re.findall(r"\$__file\{([^}]+)\}", provisioning())
    read = {"prometheus": scrape["authorization"]["credentials_file"], "grafana": asked_by_grafana}
    for name, path in read.items():
        command = DEMO[f"{name}-key"]["command"]
        written = command[command.index("--output") + 1]
        assert in_volume(f"{name}-key", written) == in_volume(name, path)
        assert "--group" in command
        users = {n for n, s in DEMO.items() if f"{name}-key" in [m.source for m in mounts(s)]}
        assert users == {name, f"{name}-key"}


def test_the_key_is_for_the_group_of_triaged() -> None:
    user, _, group = the_only("triaged", "USER").rest.partition(":")
    assert user == group != "0"
    made = " ".join(i.rest for i in instructions("triaged") if i.word == "RUN")
    assert f"--gid {group}" in made
    assert f"--uid {user}" in made
    for name in ("prometheus", "grafana"):
        assert DEMO[name]["group_add"] == [group]


def test_grafana_gets_every_variable_plugin_and_folder_that_provisioning_names() -> None:
    text = provisioning()
    environment = DEMO["grafana"]["environment"]
    assert set(re.findall(r"(?<!\$)\$\{([A-Z_]+)\}", text)) <= set(environment)
    targets = {mount.target: mount.source for mount in mounts(DEMO["grafana"])}
    assert targets[environment["TRIAGED_DASHBOARDS"]] == "./dashboards/json"
    for kind in ("datasources", "dashboards"):
        assert targets[f"/etc/grafana/provisioning/{kind}"] == f"./dashboards/provisioning/{kind}"
    plugin, _, version = environment["GF_PLUGINS_PREINSTALL_SYNC"].partition("@")
    assert f"'type': '{plugin}'" in text
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)


def test_the_image_is_of_this_version() -> None:
    labels = the_only("triaged", "LABEL").rest
    assert f'org.opencontainers.image.version="{__version__}"' in labels


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out: the last line that matches decides."""
    hidden = False
    for line in shipped(".dockerignore").splitlines():
        pattern = line.removeprefix("!").strip()
        if pattern and not pattern.startswith("#"):
            parents = [path, *map(str, Path(path).parents)]
            if any(fnmatch.fnmatch(parent, pattern) for parent in parents if parent != "."):
                hidden = not line.startswith("!")
    return hidden


def test_what_is_copied_exists_and_is_not_ignored_and_secrets_are() -> None:
    sources = [name for stage in STAGES for i in instructions(stage) for name, _ in i.copied]
    assert len(sources) > 5
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not ignored(source), source
    for secret in (
        ".git/config",
        "deploy/compose/secrets/triaged/support.password",
        "data/keys.json",
    ):
        assert ignored(secret), secret


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None),
        (b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n", "answered 503"),
        (b"220 mail.example.com\r\n", "no answer"),
        (b"", "no answer"),
    ],
)
def test_the_health_check_believes_nothing_but_a_good_answer(
    answer: bytes, wrong: str | None
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def respond() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        server = threading.Thread(target=respond)
        server.start()
        found = check(listener.getsockname()[1])
        server.join()
    assert found == wrong or (wrong and found and found.startswith(wrong))


@pytest.mark.parametrize("name", ["alerts/prometheus.yml", "examples/triaged.toml"])
def test_a_source_that_no_longer_has_what_is_changed_is_noticed(name: str, tmp_path: Path) -> None:
    for source in ("alerts/prometheus.yml", "examples/triaged.toml"):
        (tmp_path / source).parent.mkdir()
        (tmp_path / source).write_text(shipped(source))
    assert [text for _, text in containers.container_files(tmp_path)] == [
        shipped(f"deploy/compose/{made}") for made in ("prometheus.yml", "demo.toml")
    ]
    (tmp_path / name).write_text(shipped(name).replace(":8080", ":80"))
    with pytest.raises(ValueError, match=f"{name} does not have"):
        list(containers.container_files(tmp_path))


@installed("promtool")
@pytest.mark.parametrize("keys", [True, False])
def test_prometheus_accepts_its_configuration_with_a_key_and_without(
    keys: bool, tmp_path: Path
) -> None:
    prometheus = Container("prometheus", tmp_path)
    file = prometheus.inside("/etc/prometheus/prometheus.yml")
    if keys:
        prometheus.inside("/run/secrets/triaged_prometheus_key").write_text("trg_key")
    else:
        file.write_text(shipped("alerts/prometheus.yml"))
    done = run("promtool", "check", "config", str(file))
    assert done.returncode == 0, done.stderr
    assert "2 rule files found" in done.stdout
    if keys:
        prometheus.inside("/run/secrets/triaged_prometheus_key").unlink()
        assert run("promtool", "check", "config", str(file)).returncode == 1


@installed("amtool")
def test_alertmanager_accepts_its_configuration(tmp_path: Path) -> None:
    alertmanager = Container("alertmanager", tmp_path)
    file = alertmanager.inside("/etc/alertmanager/alertmanager.yml")
    done = run("amtool", "check-config", str(file))
    assert done.returncode == 0, done.stderr
    assert "1 templates" in done.stdout
    named = set(re.findall(r"secrets/(\S+)", file.read_text()))
    examples = (ROOT / "deploy/compose/secrets/alertmanager").glob("*.example")
    assert named == {path.stem for path in examples}


@pytest.mark.parametrize("demo", [False, True])
def test_triaged_accepts_its_configuration_once_there_is_a_key(demo: bool, tmp_path: Path) -> None:
    triaged = Container("triaged", tmp_path, demo=demo)
    file = triaged.inside("/etc/triaged/triaged.toml")
    product = (sys.executable, "-m", "daemon")
    refused = run(*product, "check-config", str(file))
    assert refused.returncode == 2
    assert "can be reached from other machines" in refused.stderr
    made = run(*product, "token", "create", "a", "--role", "read", "--config", str(file))
    assert made.returncode == 0, made.stderr
    done = run(*product, "check-config", str(file))
    assert done.returncode == 0, done.stderr


def run(*command: str) -> subprocess.CompletedProcess[Any]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
