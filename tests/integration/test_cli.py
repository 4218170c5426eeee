"""The commands as people use them: real processes, a real daemon, a real terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.product import PATIENCE, ROOT, Product, wait_for

JOBS = '''
"""Pipelines that do as they are told."""
import threading
from pathlib import Path

HERE = Path(__file__).parent

def mixed(run):
    run.step("processing", "Doing [bold]things[/bold]")
    run.succeed("good")
    run.progress(1, 2)
    run.fail("bad\\x1b[31m", ConnectionRefusedError(111, "Connection refused"))
    run.fail("odd", "frobnicator 17 jammed")

def fine(run):
    run.succeed("good")

def patient(run):
    run.step("processing", "Waiting")
    (HERE / "waiting").touch()
    while not run.cancelled:
        threading.Event().wait(0.02)

def stubborn(run):
    run.step("processing", "Never ending")
    (HERE / "waiting").touch()
    threading.Event().wait()
'''

PIPELINES = """
[store]
path = "data/store.duckdb"
[pipelines.mixed]
run = "jobs:mixed"
[pipelines.mixed.sources.a]
[pipelines.mixed.sources.b]
enabled = false
[pipelines.fine]
run = "jobs:fine"
[pipelines.patient]
run = "jobs:patient"
[pipelines.stubborn]
run = "jobs:stubborn"
"""


@pytest.fixture
def product(product: Product) -> Product:
    (product.folder / "jobs.py").write_text(JOBS)
    product.configure(PIPELINES)
    return product


def run_once(product: Product, *words: str) -> subprocess.CompletedProcess[str]:
    return product.command("run", *words, "--config", str(product.config))


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command that goes on, with pipes."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "daemon", *words]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def start_run(product: Product, pipeline: str) -> None:
    """Asks the daemon to run a pipeline that waits, and waits till it does."""
    product.http.post(f"/api/pipelines/{pipeline}/run", json={}).raise_for_status()
    wait_for((product.folder / "waiting").exists)


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, product: Product, *words: str, columns: int = 80, rows: int = 30) -> None:
        self.text = ""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            size = {"COLUMNS": str(columns), "LINES": str(rows), "TERM": "xterm-256color"}
            command = [sys.executable, "-m", "daemon", *words]
            os.execvpe(sys.executable, command, os.environ | size)  # noqa: S606

    def read(self, seconds: float = 0.1) -> str:
        """What it has shown so far."""
        while select.select([self._fd], [], [], seconds)[0]:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode("utf-8", "replace")
        return self.text

    def wait_for(self, look: Callable[[str], object]) -> None:
        """Waits till what is shown is as `look` wants it."""
        wait_for(lambda: look(self.read()))

    def type(self, data: bytes) -> None:
        os.write(self._fd, data)

    def wait(self) -> int:
        """Its exit code."""

        def ended() -> int | None:
            self.read(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return os.waitstatus_to_exitcode(status) + 1 if pid else None

        return wait_for(ended) - 1


@pytest.mark.requirement("X6")
def test_run_says_what_failed_and_what_to_do_and_exits_with_1(product):
    done = run_once(product, "mixed")
    assert (done.returncode, done.stderr) == (1, "")
    assert "mixed/a  partial after" in done.stdout
    assert "mixed/b" not in done.stdout
    assert re.search(r"mixed/a .*connection", done.stdout.replace("\n", " "))
    assert "→" in done.stdout
    assert "\x1b" not in done.stdout


def test_run_of_one_source_takes_it_though_cycles_leave_it_out(product):
    assert "mixed/b" in run_once(product, "mixed", "b").stdout


@pytest.mark.requirement("X6")
def test_run_with_json_writes_a_line_for_each_run_and_failure(product):
    done = run_once(product, "mixed", "--json")
    runs, *failures = [json.loads(line) for line in done.stdout.splitlines()]
    assert runs["run"]["status"] == "partial"
    assert [f["failure"]["error_category"] for f in failures] == ["unknown", "connection"]


def test_run_without_failures_exits_with_0(product):
    assert run_once(product, "fine").returncode == 0


@pytest.mark.parametrize("words", [("nothing",), ("mixed", "nothing")])
def test_run_of_what_is_not_there_names_what_is(product, words):
    done = run_once(product, *words)
    assert done.returncode == 2
    assert re.search("has: (mixed, fine|a, b)", done.stderr)


def test_run_under_a_running_daemon_says_how_to_ask_that_one(product):
    product.start()
    done = run_once(product, "mixed", "a")
    assert done.returncode == 3
    command = next(line for line in done.stderr.splitlines() if "curl" in line)
    asked = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(asked.stdout)["source"] == "a"


def test_ctrl_c_ends_a_run_in_order_and_its_store_says_interrupted(product, start):
    process = start("run", "patient", "--config", str(product.config))
    wait_for((product.folder / "waiting").exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "interrupted" in out
    assert "Traceback" not in err
    stored = product.command("runs", "--json", "--config", str(product.config))
    assert json.loads(stored.stdout)["status"] == "interrupted"


@pytest.mark.requirement("X3")
def test_sigterm_lets_runs_end_and_exits_with_0(product):
    product.start()
    start_run(product, "patient")
    assert product.stop() == 0
    log = product.log.read_text()
    assert "Traceback" not in log
    assert [json.loads(line)["event"] for line in log.splitlines()][-1] == "stopped"


def test_a_run_that_never_ends_cannot_keep_the_daemon_alive(product):
    text = product.config.read_text()
    product.config.write_text(text.replace('grace = "5s"', 'grace = "200ms"'))
    product.start()
    start_run(product, "stubborn")
    assert product.stop() == 0
    stored = product.command("runs", "--json", "--config", str(product.config))
    assert json.loads(stored.stdout)["status"] == "interrupted"


@pytest.mark.slow
@pytest.mark.requirement("X3")
def test_what_could_not_be_stored_is_said_and_the_exit_code_is_1(product, start):
    daemon = start("serve", "--config", str(product.config))
    wait_for(lambda: is_up(product))
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    # It runs all the same; what is not stored is who asked for it.
    assert product.http.post("/api/pipelines/mixed/run", json={}).status_code == 503
    wait_for(lambda: product.http.get("/readyz").status_code == 503)
    daemon.send_signal(signal.SIGTERM)
    _, said = daemon.communicate(timeout=PATIENCE)
    assert daemon.returncode == 1
    assert re.search(r"^triaged: [1-9] events could not be stored", said, re.MULTILINE)


def is_up(product: Product) -> bool:
    try:
        return product.http.get("/healthz").is_success
    except httpx.TransportError:
        return False


def test_a_second_ctrl_c_ends_the_daemon_at_once(product):
    product.start()
    start_run(product, "stubborn")
    process = product.process
    assert process is not None
    process.send_signal(signal.SIGINT)
    wait_for(lambda: "stopping" in product.log.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(2) == 130


def test_an_address_in_use_is_said_before_anything_is_made(product):
    product.start()
    other = product.folder / "other"
    other.mkdir()
    (other / "triaged.toml").write_text(f'[server]\nlisten = "127.0.0.1:{product.port}"\n')
    done = product.command("serve", "--config", str(other / "triaged.toml"))
    assert done.returncode == 4
    assert "another program listens there" in done.stderr
    assert not (other / "data").exists()


def test_a_store_in_use_is_said_with_the_process_that_has_it(product):
    product.start()
    assert product.process is not None
    other = product.folder / "other.toml"
    text = product.config.read_text().replace(f":{product.port}", ":0")
    other.write_text(text)
    done = product.command("serve", "--config", str(other))
    assert done.returncode == 3
    assert f"process {product.process.pid}" in done.stderr


def test_serve_carries_nothing_that_only_a_terminal_needs(product):
    code = "import sys, daemon.cli.serve; print([m for m in ('rich', 'pytz') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.requirement("X6")
@pytest.mark.parametrize("command", [["failures"], ["runs"], ["failures", "--groups"]])
def test_a_running_daemon_and_the_store_of_a_stopped_one_say_the_same(product, command):
    run_once(product, "mixed")
    run_once(product, "mixed")
    words = [*command, "--json", "--limit", "3"]
    stopped = product.command(*words, "--config", str(product.config))
    product.start()
    by_url = product.command(*words, "--url", product.url)
    by_config = product.command(*words, "--config", str(product.config))
    assert len(stopped.stdout.splitlines()) in (2, 3)
    assert by_url.stdout == stopped.stdout == by_config.stdout


def test_the_csv_of_failures_is_that_of_the_api_and_can_be_cut(product):
    run_once(product, "mixed")
    stopped = product.command("failures", "--csv", "--config", str(product.config))
    product.start()
    by_url = product.command("failures", "--csv", "--url", product.url)
    assert by_url.stdout == stopped.stdout == product.http.get("/api/export/failures.csv").text
    cut = product.command("failures", "--csv", "--limit", "1", "--url", product.url)
    assert stopped.stdout.startswith(cut.stdout)
    assert len(cut.stdout.splitlines()) == 2


def test_filters_restrict_and_the_older_names_of_categories_are_taken(product):
    run_once(product, "mixed")
    config = ("--config", str(product.config))
    shown = product.command("failures", "--json", "--category", "connectivity", *config)
    assert [json.loads(line)["item"] for line in shown.stdout.splitlines()] == ["bad"]
    assert product.command("failures", "--json", "--until", "1d", *config).stdout == ""
    assert "No failures match." in product.command("failures", "--q", "nowhere", *config).stdout


def test_unclassified_shows_messages_as_they_are_compared(product):
    run_once(product, "mixed")
    shown = product.command("unclassified", "--config", str(product.config)).stdout
    assert re.search(r"1\s+mixed/\S+\s+frobnicator .* jammed", shown)
    assert "refused" not in shown


def test_a_store_that_is_not_there_yet_is_said_and_not_made(product):
    done = product.command("failures", "--config", str(product.config))
    assert done.returncode == 3
    assert "no store" in done.stderr
    assert not (product.folder / "data").exists()


def test_a_reader_that_goes_away_ends_a_command_quietly(product):
    run_once(product, "mixed")
    command = f"{sys.executable} -m daemon failures --json --config {product.config} | true"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_an_api_key_is_needed_and_taken_from_the_environment(product, monkeypatch):
    monkeypatch.setenv("SERVER_KEY", "a-long-enough-key")
    product.configure(PIPELINES, '[[server.keys]]\nname = "me"\nkey_env = "SERVER_KEY"\n')
    product.start()
    refused = product.command("runs", "--url", product.url)
    assert refused.returncode == 5
    assert "TRIAGED_API_KEY" in refused.stderr
    monkeypatch.setenv("TRIAGED_API_KEY", "a-long-enough-key")
    assert product.command("runs", "--url", product.url).returncode == 0


@pytest.mark.requirement("X6")
def test_watch_prints_a_line_for_each_change_and_outlives_a_restart(product, start):
    product.start()
    watch = start("watch", "--url", product.url)
    assert watch.stdout is not None
    lines = watch.stdout
    assert lines.readline().startswith("● connected")
    product.http.post("/api/pipelines/mixed/run", json={}).raise_for_status()
    said = [lines.readline() for _ in range(3)]
    assert "mixed/a  partial after" in said[0]
    assert all("failure" in line and "→" in line for line in said[1:])
    assert product.stop() == 0
    assert lines.readline().startswith("○ away")
    product.start()
    assert lines.readline().startswith("● connected")
    watch.send_signal(signal.SIGINT)
    assert watch.wait(PATIENCE) == 0
    assert watch.communicate()[1] == ""


@pytest.mark.requirement("X6")
@pytest.mark.parametrize("columns", [80, 160])
def test_watch_on_a_terminal_shows_runs_and_failures_and_ends_with_ctrl_c(product, columns):
    run_once(product, "mixed")
    product.start()
    start_run(product, "patient")
    screen = Terminal(product, "watch", "--url", product.url, columns=columns)
    for text in ("connected", "Active runs: 1", "Waiting", "mixed/a", "Open failures: 2"):
        screen.wait_for(lambda shown, text=text: text in shown)
    screen.type(b"\x03")
    assert screen.wait() == 0
    assert "Traceback" not in screen.text


def test_serve_on_a_terminal_says_what_to_open_and_ctrl_c_ends_it(product):
    screen = Terminal(product, "serve", "--config", str(product.config))
    screen.wait_for(lambda shown: "Ctrl-C stops it." in shown)
    for path in ("/", "/api/processing/failures", "/api/export/failures.csv", "/metrics"):
        assert f"{product.url}{path}" in screen.text
        wait_for(lambda path=path: product.http.get(path).status_code == 200)
    screen.type(b"\x03")
    assert screen.wait() == 0
    assert "Traceback" not in screen.text


def test_run_on_a_terminal_shows_a_bar_while_it_runs(product):
    screen = Terminal(product, "run", "patient", "--config", str(product.config))
    screen.wait_for(lambda shown: "patient/patient" in shown and "Waiting" in shown)
    screen.type(b"\x03")
    assert screen.wait() == 130
    assert "Traceback" not in screen.text


def test_no_color_is_respected(product, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Terminal(product, "run", "mixed", "--config", str(product.config))
    assert screen.wait() == 1
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", screen.text)


def test_the_bundled_example_shows_success_partial_and_failed_runs_in_ten_seconds(
    product, tmp_path: Path
):
    example = tmp_path / "examples"
    subprocess.run(["cp", "-r", str(ROOT / "examples"), str(example)], check=True)
    subprocess.run(["rm", "-rf", str(example / "data")], check=True)
    product.config = example / "triaged.toml"
    text = product.config.read_text().replace(":8080", f":{product.port}")
    product.config.write_text(text)
    product.start()
    began = time.monotonic()
    wait_for(lambda: {"success", "partial", "failed"} <= statuses(product), patience=10)
    assert time.monotonic() - began < 10


def statuses(product: Product) -> set[str]:
    return {run["status"] for run in product.get("/api/runs", limit=100)["runs"]}
