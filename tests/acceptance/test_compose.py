"""The containers' commands as they are started, outside of containers: nothing but ports is other."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support import image
from tests.support.compose import Container, as_user, give, the_only
from tests.support.product import GOOD, PATIENCE, ROOT, free_port, wait_for
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.requirement("M5")]

USER = int(the_only("triaged", "USER").rest.partition(":")[0])
NOBODY = 65534
"""The user of Prometheus in its image."""
OWNERS = {
    "triaged-data": USER,
    "prometheus-key": USER,
    "grafana-key": USER,
    "prometheus-data": NOBODY,
}
"""Of volumes, as the images have them."""


def installed(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(tool), reason=f"{tool} is not installed")


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """A folder that other users can enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="triaged-image-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def opt(ground: Path) -> Path:
    """What the images have in /opt."""
    return image.build(ground, "build", "triaged", "mail")


class Stack(NamedTuple):
    """The containers of one `docker compose up`, and what they share."""

    folder: Path
    opt: Path
    port: int

    def container(self, name: str, *, demo: bool = False) -> Container:
        """A service's container, with the image's files where they belong."""
        made = Container(name, self.folder, demo=demo)
        (made.root / "opt").symlink_to(self.opt)
        return made

    def options(self, container: Container) -> dict[str, Any]:
        """How a process of the image is started."""
        path = f"{self.opt / 'triaged/bin'}:/usr/bin:/bin"
        environment = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        return {"env": environment, "cwd": container.root, **as_user(USER)}

    def run(self, container: Container, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the image to its end."""
        return subprocess.run(
            command,
            **self.options(container),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def make_key(self, name: str) -> Path:
        """What the one-shot service does; returns the file of the key."""
        service = self.container(name)
        for _ in range(2):
            done = self.run(service, *entry_point(), *service.command())
            assert done.returncode == 0, done.stderr
            assert "trg_" not in done.stdout + done.stderr
        (file,) = (self.folder / "volumes" / name).iterdir()
        return file

    def get(self, path: str, key: Path | None = None) -> httpx.Response:
        """What triaged answers."""
        headers = {"authorization": f"Bearer {key.read_text()}"} if key else {}
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=PATIENCE)


def entry_point() -> list[str]:
    return the_only("triaged", "ENTRYPOINT").exec_form


@pytest.fixture
def stack(ground: Path, opt: Path) -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(dir=ground))
    folder.chmod(0o755)
    for name, owner in OWNERS.items():
        volume = folder / "volumes" / name
        volume.mkdir(parents=True)
        give(volume, owner)
    yield Stack(folder, opt, free_port())
    shutil.rmtree(folder)


def test_the_wheel_has_everything_that_is_needed_at_run_time(opt: Path) -> None:
    (wheel,) = (opt / "wheels").glob("triaged-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "daemon", "api"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    kinds = {Path(name).suffix for name in tracked}
    assert {".py", ".sql", ".toml", ".html"} <= kinds
    assert set(tracked) - held == set()
    assert {name.partition("/")[0] for name in held if ".dist-info" not in name} == {
        "daemon",
        "api",
    }


@installed("prometheus")
def test_it_starts_at_once_on_a_fresh_checkout_and_prometheus_scrapes_it(stack: Stack) -> None:
    triaged = stack.container("triaged")
    triaged.change("/etc/triaged/triaged.toml", "0.0.0.0:8080", f"0.0.0.0:{stack.port}")
    triaged.change("/etc/triaged/triaged.toml", 'every = "1m"', 'every = "200ms"')
    inbox = triaged.inside("/srv/inbox")
    (inbox / "orders.csv").write_text(GOOD)
    os.utime(inbox / "orders.csv", (1e9, 1e9))
    before = snapshot(triaged.root)
    serve = [*entry_point(), *map(triaged.here, the_only("triaged", "CMD").exec_form)]
    refused = stack.run(triaged, *serve)
    assert refused.returncode == 2, "without any key it is open to nobody"
    keys = {name: stack.make_key(f"{name}-key") for name in ("prometheus", "grafana")}
    log = stack.folder / "triaged.log"
    with log.open("wb") as output:
        process = subprocess.Popen(serve, **stack.options(triaged), stderr=output)
    try:
        wait_for(lambda: is_healthy(stack, triaged) or process.poll())
        assert process.poll() is None, log.read_text()[-2000:]
        assert [stack.get("/metrics", key).status_code for key in (None, *keys.values())] == [
            401,
            200,
            200,
        ]
        rows = 'triaged_rows_total{outcome="loaded",pipeline="ingest"} 2.0'
        wait_for(lambda: rows in stack.get("/metrics", keys["prometheus"]).text)
        assert stack.get("/api/report/failures", keys["grafana"]).status_code == 200
        scrape(stack)
        assert is_healthy(stack, triaged)
    finally:
        process.terminate()
        ended = process.wait(PATIENCE)
    assert ended == 0, log.read_text()[-2000:]
    assert not is_healthy(stack, triaged)
    assert snapshot(triaged.root) == before, "something was written beside the volume"


def is_healthy(stack: Stack, triaged: Container) -> bool:
    """What the image's health check says, at the port that is used here."""
    check = map(triaged.here, the_only("triaged", "HEALTHCHECK").exec_form)
    done = stack.run(triaged, *check, str(stack.port))
    assert "Traceback" not in done.stderr
    return done.returncode == 0


def snapshot(root: Path) -> dict[str, int]:
    """Every file of a container but those in volumes, with the time it was changed."""
    found = (path for path in root.rglob("*") if not path.is_symlink())
    return {str(path): path.stat().st_mtime_ns for path in found}


def scrape(stack: Stack) -> None:
    """Prometheus as compose starts it, but for addresses and intervals, reaches triaged with its key."""
    made = stack.container("prometheus")
    config = "/etc/prometheus/prometheus.yml"
    made.change(config, "triaged:8080", f"127.0.0.1:{stack.port}")
    made.change(config, "alertmanager:9093", "127.0.0.1:9")
    made.change(config, "15s", "1s")
    (key,) = made.inside("/run/secrets").iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o640
    prometheus = ServerProcess(stack.folder / "prometheus-log")
    address = f"--web.listen-address={prometheus.address}"
    try:
        prometheus.launch("prometheus", *made.command(), address, **as_user(NOBODY, USER))
        check = made.service["healthcheck"]["test"][1:]
        asked = [word.replace("127.0.0.1:9090", prometheus.address) for word in check]
        assert subprocess.run(asked, capture_output=True, check=False).returncode == 0
        wait_for(lambda: value(prometheus, 'up{job="triaged"}') == "1")
        assert value(prometheus, 'triaged_rows_total{outcome="loaded"}') == "2"
    finally:
        prometheus.stop()
    assert subprocess.run(asked, capture_output=True, check=False).returncode != 0


def value(prometheus: ServerProcess, query: str) -> str | None:
    """The value of the one series that a query finds."""
    found = prometheus.http.get("/api/v1/query", params={"query": query}).json()["data"]["result"]
    return found[0]["value"][1] if found else None


@installed("prometheus-alertmanager")
def test_alertmanager_starts_without_any_secret_and_its_health_check_finds_it(
    tmp_path: Path,
) -> None:
    made = Container("alertmanager", tmp_path)
    alertmanager = ServerProcess(tmp_path / "log")
    address = f"--web.listen-address={alertmanager.address}"
    check = made.service["healthcheck"]["test"][1:]
    asked = [word.replace("127.0.0.1:9093", alertmanager.address) for word in check]
    try:
        alertmanager.launch("prometheus-alertmanager", *made.command(), address)
        assert subprocess.run(asked, check=False).returncode == 0
    finally:
        alertmanager.stop()
    assert subprocess.run(asked, check=False).returncode != 0


def test_the_demo_reads_mail_and_input_of_the_example(stack: Stack) -> None:
    stack.make_key("prometheus-key")
    triaged, mail = stack.container("triaged", demo=True), stack.container("mail", demo=True)
    config = "/etc/triaged/triaged.toml"
    triaged.change(
        config, 'host = "mail"\nport = 10143', f'host = "127.0.0.1"\nport = {stack.port}'
    )
    server = [mail.here(word) for word in the_only("mail", "ENTRYPOINT").exec_form]
    address = ("--host", "127.0.0.1", "--port", str(stack.port))
    check = [
        mail.here(word).replace("10143", str(stack.port))
        for word in the_only("mail", "HEALTHCHECK").exec_form
    ]
    process = subprocess.Popen([*server, *address], **stack.options(mail))
    try:
        wait_for(lambda: stack.run(mail, *check).returncode == 0 or process.poll())
        run = [*entry_point(), "run", "--config", str(triaged.inside(config))]
        support = stack.run(triaged, *run, "mail", "support")
        assert support.returncode == 0, support.stdout + support.stderr
        for pipeline, known in (
            ("mail", "billing"),
            ("ingest", "orders"),
            ("heartbeat", "example"),
        ):
            failed = stack.run(triaged, *run, pipeline)
            assert failed.returncode == 1, failed.stdout + failed.stderr
            assert known in failed.stdout + failed.stderr
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert stack.run(mail, *check).returncode != 0
