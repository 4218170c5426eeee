"""What holds everywhere, on the running product (requirements X)."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.product import BAD, GOOD, ROOT, Product, wait_for

README = (ROOT / "README.md").read_text()


@pytest.mark.requirement("X1")
def test_the_bundled_example_shows_success_partial_and_failed_runs_in_ten_seconds(
    product: Product,
) -> None:
    # The example as it is, but for the port and for where its data goes.
    folder = product.folder / "examples"
    subprocess.run(["cp", "-r", str(ROOT / "examples"), str(folder)], check=True)
    subprocess.run(["rm", "-rf", str(folder / "data")], check=True)
    text = (folder / "triaged.toml").read_text()
    product.config = folder / "triaged.toml"
    product.config.write_text(text.replace("127.0.0.1:8080", f"127.0.0.1:{product.port}"))
    product.start()

    def statuses() -> bool:
        runs = product.get("/api/runs", limit=100)["runs"]
        return {run["status"] for run in runs} >= {"success", "partial", "failed"}

    wait_for(statuses, patience=10)
    product.process.send_signal(signal.SIGINT)  # Ctrl-C
    assert product.process.wait(20) == 0
    assert "Traceback" not in product.log.read_text()


@pytest.mark.requirement("X2")
def test_check_config_reports_every_mistake_with_its_key_and_what_was_expected(
    product: Product,
) -> None:
    product.config.write_text(
        '[server]\nlisten = "0.0.0.0:80"\nlissten = 1\n'
        '[pipelines.ingest]\nevery = "soon"\n'
        '[pipelines.ingest.sources.a]\nfiles = "*.csv"\n'
        '[pipelines.mine]\nrun = "nowhere:function"\ncron = "99 * * * *"\n'
    )
    done = product.command("check-config", str(product.config))
    assert done.returncode == 2
    for key in ("server.lissten", "pipelines.ingest.every", "pipelines.ingest.sources.a.table"):
        assert re.search(rf"{re.escape(key)}.*(expected|required)", done.stderr), done.stderr
    product.configure('[pipelines.mine]\nrun = "nowhere:function"\ncron = "99 * * * *"\n')
    done = product.command("check-config", str(product.config))
    assert done.returncode == 2
    assert "pipelines.mine.run" in done.stderr
    assert "pipelines.mine.cron" in done.stderr
    assert not (product.folder / "data").exists()


@pytest.mark.requirement("X2")
def test_serve_refuses_what_check_config_refuses_and_other_addresses_without_keys(
    product: Product,
) -> None:
    product.config.write_text('[server]\nlisten = "0.0.0.0:0"\n')
    done = product.command("serve", "--config", str(product.config))
    assert done.returncode == 2
    assert "server.listen" in done.stderr
    assert "triaged token create" in done.stderr


@pytest.mark.requirement("X2")
def test_secrets_come_from_the_environment_or_a_file_and_are_asked_for(product: Product) -> None:
    key = "a-key-that-is-long-enough"
    (product.folder / "key").write_text("another-key-long-enough\n")
    server = (
        '[[server.keys]]\nname = "ops"\nrole = "operate"\nkey_env = "OPS_KEY"\n'
        '[[server.keys]]\nname = "look"\nkey_file = "key"\n'
    )
    product.configure_orders()
    product.config.write_text(product.config.read_text() + server)
    refused = product.command("check-config", str(product.config))
    assert refused.returncode == 2
    assert "OPS_KEY" in refused.stderr
    import os

    product.start(env={**os.environ, "OPS_KEY": key})
    assert product.http.get("/api/runs").status_code == 401
    look = {"Authorization": "Bearer another-key-long-enough"}
    assert product.http.get("/api/runs", headers=look).status_code == 200
    pause = "/api/pipelines/ingest/pause"
    assert product.http.post(pause, headers=look).status_code == 403
    assert product.http.get("/api/ingestions/orders/rejected", headers=look).status_code == 403
    assert product.http.post(pause, headers={"X-API-Key": key}).is_success
    assert product.stop() == 0
    assert key not in product.log.read_text()


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/processing/failures?limit=0", 400),
        ("GET", "/api/processing/failures?limit=101", 400),
        ("GET", "/api/processing/failures?category=nonsense", 400),
        ("GET", "/api/processing/failures?since=yesterday", 400),
        ("GET", "/api/processing/failures?cursor=%27%20OR%201=1", 400),
        ("GET", "/api/processing/failures?catgory=connection", 400),
        ("GET", "/api/processing/current-status?recent_limit=51", 400),
        ("GET", "/api/runs/nothing", 404),
        ("GET", "/api/nothing", 404),
        ("GET", "/api/ingestions/nothing/files", 404),
        ("GET", "/api/ingestions/orders/files/download?path=../../etc/passwd", 404),
        ("DELETE", "/api/runs", 405),
        ("POST", "/api/pipelines/nothing/pause", 404),
        ("POST", "/api/ingestions/orders/files/retry", 400),
    ],
)
def test_bad_input_gets_problem_details_and_changes_nothing(
    product: Product, method: str, path: str, status: int
) -> None:
    product.configure_orders(every="1h")
    product.start()
    wait_for(lambda: product.get("/api/runs")["runs"])
    body = {"paths": "not a list"} if method == "POST" and path.endswith("retry") else None
    answer = product.http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert product.get("/api/pipelines")["pipelines"][0]["paused"] is False
    assert product.get("/api/processing/failures")["total_failures"] == 0


@pytest.mark.requirement("X4")
def test_a_page_of_another_site_can_neither_read_nor_command(product: Product) -> None:
    product.configure_orders(every="1h")
    product.start()
    assert product.http.get("/api/runs", headers={"Host": "evil.example"}).status_code == 421
    evil = {"Origin": "https://evil.example"}
    assert product.http.post("/api/pipelines/ingest/pause", headers=evil).status_code == 403
    assert product.get("/api/pipelines")["pipelines"][0]["paused"] is False


@pytest.mark.requirement("X5")
def test_the_own_pipeline_of_the_readme_works_as_written(product: Product) -> None:
    code = re.search(r"```python\n# (\w+)\.py\n(.*?)```", README, re.DOTALL)
    config = re.search(r"```toml\n(\[pipelines\.\w+\]\nrun = .*?)```", README, re.DOTALL)
    assert code is not None
    assert config is not None
    assert len(code[2].strip().splitlines()) <= 15
    (product.folder / f"{code[1]}.py").write_text(code[2])
    for name in re.findall(r'"([\w.]+\.\w+)"', config[1]):
        (product.folder / name).write_text(
            "found where the configuration is, wherever it is started"
        )
    product.configure(config[1])
    product.start()
    run = wait_for(
        lambda: [r for r in product.get("/api/runs")["runs"] if r["status"] != "running"]
    )[0]
    assert (run["status"], run["counts"]["succeeded"]) == ("success", 2)
    assert run["pipeline"] == re.search(r"\[pipelines\.(\w+)\]", config[1])[1]
    assert run["counts"]["succeeded"] + run["counts"]["failed"] > 0
    for failure in product.failures():
        assert failure["error_category"] != "unknown"


@pytest.mark.requirement("X5")
def test_an_own_pipeline_that_raises_fails_its_run_with_triage(product: Product) -> None:
    (product.folder / "mine.py").write_text(
        "import json\ndef work(run):\n    json.loads('{broken')\n"
    )
    product.configure('[pipelines.mine]\nrun = "mine:work"\nevery = "1h"\n')
    product.start()
    (failure,) = wait_for(product.failures)
    assert failure["item"] is None
    assert failure["error_category"] == "data_malformed"
    run = wait_for(lambda: (r := product.get("/api/runs")["runs"][0])["end_time"] and r)
    assert (run["status"], run["final_state"]) == ("failed", "ERROR")


FORKING = """
import multiprocessing, os, time

def idle():
    time.sleep(120)

def work(run):
    child = multiprocessing.get_context("fork").Process(target=idle)
    child.start()
    time.sleep(0.5)
    listening = [link for link in os.scandir(f"/proc/{child.pid}/fd")
                 if os.readlink(link.path) in listeners()]
    child.terminate()
    child.join(20)
    run.succeed("begun")
    if listening:
        run.fail("listens", f"the child holds {len(listening)} sockets that listen")
    if child.exitcode != -15:
        run.fail("goes on", f"the child ended with {child.exitcode}")
        child.kill()

def listeners():
    lines = open("/proc/self/net/tcp").read().splitlines()[1:]
    return {f"socket:[{line.split()[9]}]" for line in lines if line.split()[3] == "0A"}
"""


@pytest.mark.requirement("X5", "X7")
@pytest.mark.parametrize("mode", ["thread", "process"])
def test_what_a_function_forks_ends_when_it_is_told_to(product: Product, mode: str) -> None:
    (product.folder / "forking.py").write_text(FORKING)
    pipeline = f'[pipelines.forks]\nrun = "forking:work"\nmode = "{mode}"\n'
    product.configure(pipeline)
    product.start()
    product.post("/api/pipelines/forks/run")
    run = wait_for(
        lambda: [r for r in product.get("/api/runs")["runs"] if r["status"] != "running"]
    )[0]
    assert run["status"] == "success"
    assert run["counts"] == {"succeeded": 1, "failed": 0, "skipped": 0}


@pytest.mark.requirement("X2", "X5")
def test_an_own_module_of_a_name_that_is_taken_is_refused_before_anything_runs(
    product: Product,
) -> None:
    (product.folder / "jobs.py").write_text("def work(run):\n    import api\n    api.sync()\n")
    (product.folder / "api.py").write_text("def sync():\n    pass\n")
    product.configure('[pipelines.shop]\nrun = "jobs:work"\n')
    for command in (
        ("check-config", str(product.config)),
        ("serve", "--config", str(product.config)),
        ("run", "shop", "--config", str(product.config)),
    ):
        ended = product.command(*command)
        assert ended.returncode == 2
        told = ended.stdout + ended.stderr
        assert "pipelines.shop.run: api.py has the name of a module of triaged itself" in told
        assert "such as my_api.py" in told
    assert not (product.folder / "data").exists()
    (product.folder / "api.py").rename(product.folder / "my_api.py")
    (product.folder / "jobs.py").write_text(
        "def work(run):\n    import my_api\n    my_api.sync()\n"
    )
    assert product.command("run", "shop", "--config", str(product.config)).returncode == 0


@pytest.mark.requirement("X2")
def test_the_command_is_ours_beside_modules_of_any_name(tmp_path: Path) -> None:
    for name in ("daemon.py", "api.py"):
        (tmp_path / name).write_text("raise SystemExit('somebody else')\n")
    triaged = Path(sys.executable).with_name("triaged")
    told = subprocess.run(
        [triaged, "--version"], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    assert told.stdout.startswith("triaged ")


@pytest.mark.requirement("X6")
def test_commands_print_tables_for_people_and_json_lines_for_programs(product: Product) -> None:
    product.configure_orders(every="1h")
    product.drop("bad.csv", BAD)
    product.start()
    product.wait_for_file("bad.csv", "partial")
    shown = product.command("failures", "--url", product.url)
    assert shown.returncode == 0, shown.stderr
    assert "bad.csv" in shown.stdout
    lines = product.command("failures", "--url", product.url, "--json").stdout.splitlines()
    assert [json.loads(line)["item"] for line in lines] == ["bad.csv", "bad.csv"]
    runs = product.command("runs", "--url", product.url, "--json").stdout.splitlines()
    assert json.loads(runs[0])["status"] == "partial"
    csv = product.command("failures", "--url", product.url, "--csv").stdout
    assert (
        csv.splitlines()[1:] == (product.http.get("/api/export/failures.csv").text.splitlines()[1:])
    )
    assert product.stop() == 0
    stopped = product.command("failures", "--config", str(product.config), "--json").stdout
    assert [json.loads(line)["id"] for line in stopped.splitlines()] == [
        json.loads(line)["id"] for line in lines
    ]


@pytest.mark.requirement("X6")
def test_run_processes_once_shows_what_failed_and_exits_with_1(product: Product) -> None:
    product.configure_orders(every="1h")
    product.drop("good.csv", GOOD)
    done = product.command("run", "ingest", "--config", str(product.config))
    assert done.returncode == 0, done.stderr
    product.drop("bad.csv", BAD)
    done = product.command("run", "ingest", "orders", "--config", str(product.config))
    assert done.returncode == 1
    assert "bad.csv" in done.stdout
    done = product.command("run", "nothing", "--config", str(product.config))
    assert done.returncode == 2
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.requirement("X6", "X4")
def test_classify_keeps_ids_and_names_the_line_of_bad_input(product: Product) -> None:
    file = product.folder / "messages.jsonl"
    file.write_text(
        '{"id": "a", "message": "Connection refused", "exception": "ConnectionRefusedError"}\n'
        "not json\n"
        '{"id": 7, "message": ""}\n'
    )
    done = product.command("classify", "--jsonl", str(file), "--json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(a["id"], a["category"], a["retryable"]) for a in answers] == [
        ("a", "connection", True),
        (7, "unknown", False),
    ]
    assert set(answers[0]) >= {
        "category", "group", "retryable", "rule", "user_message", "suggested_action",
    }  # fmt: skip
    assert done.returncode == 1
    assert "2" in done.stderr


def test_the_version_is_the_same_everywhere(product: Product) -> None:
    import daemon

    assert daemon.__version__ in product.command("--version").stdout
    assert f"## {daemon.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_nothing_in_the_tree_names_a_registry_or_a_path_of_a_machine() -> None:
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    told = re.compile(r"(?<!no-emit-)index-url|pypi\.org|registry\.npmjs|(?<!\w)/work/|/root/")
    named = [f for f in files if told.search((ROOT / f).read_bytes().decode("utf-8", "replace"))]
    assert [f for f in named if Path(f) != Path(__file__).relative_to(ROOT)] == []
