"""Nothing acknowledged is lost: kill -9, full disks, locked and damaged databases (requirement X3)."""

from __future__ import annotations

import errno
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.product import BAD, GOOD, Product, wait_for

KILLS = 30


def batch(first: int, rows: int = 400) -> str:
    """A file in which every tenth row is bad."""
    lines = (
        f"{n},x@example.com,{'abc' if n % 10 == 0 else '1.00'}" for n in range(first, first + rows)
    )
    return "order_id,email,amount\n" + "\n".join(lines) + "\n"


def everything(product: Product) -> dict[int, dict[str, Any]]:
    """All failures by id."""
    return {failure["id"]: failure for failure in product.failures()}


@pytest.mark.slow
@pytest.mark.requirement("X3", "S3")
def test_kill_9_at_random_moments_loses_no_failure_and_duplicates_no_row(product: Product) -> None:
    product.configure_orders(every="50ms")
    product.drop("own.csv", GOOD.replace("1,", "-1,").replace("2,", "-2,"))
    chance = random.Random(20261122)
    seen: dict[int, dict[str, Any]] = {}
    for kill in range(KILLS):
        for part in range(3):
            product.drop(f"{kill:02d}-{part}.csv", batch((kill * 3 + part) * 1000))
        product.start()
        deadline = time.monotonic() + chance.uniform(0.0, 0.6)
        while time.monotonic() < deadline:
            seen |= everything(product)
        product.kill()
    product.start()
    for kill in range(KILLS):
        for part in range(3):
            product.wait_for_file(f"{kill:02d}-{part}.csv", "partial")
    product.pause("ingest")
    stored = everything(product)
    for number, failure in seen.items():
        assert stored[number]["error_message"] == failure["error_message"]
        assert stored[number]["item"] == failure["item"]
    assert {f["item"] for f in stored.values()} == {
        f"{kill:02d}-{part}.csv" for kill in range(KILLS) for part in range(3)
    }
    opened = [failure for failure in stored.values() if failure["status"] == "open"]
    assert sorted(f["item"] for f in opened) == sorted({f["item"] for f in stored.values()})
    assert all(failure["row_count"] == 40 for failure in stored.values())
    assert product.get("/api/runs", status="running")["runs"] == []
    rejected = product.get("/api/ingestions/orders")["badge"]["rows_rejected"]
    assert rejected == KILLS * 3 * 40
    assert product.stop() == 0
    rows = product.warehouse("SELECT count(*), count(DISTINCT order_id) FROM orders")
    assert rows == [(KILLS * 3 * 360 + 2, KILLS * 3 * 360 + 2)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


FLOOD = """
import pathlib, time
def flood(run):
    n = 0
    while pathlib.Path(run.options["on"]).exists() and not run.cancelled:
        run.fail(f"item {n}", f"flood {n} " + str(n) * 100)
        n += 1
        time.sleep(0.001)
    pathlib.Path(run.options["count"]).write_text(str(n))
"""


def fill(ballast: Path) -> None:
    """Writes till there is no space left."""
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 65536)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def flooding(product: Product, disk: Path) -> tuple[Path, Path]:
    """Starts a daemon whose store is on the small disk, with a pipeline that fails all the time."""
    (product.folder / "flood.py").write_text(FLOOD)
    on, count = product.folder / "on", product.folder / "count"
    on.touch()
    product.configure(
        '[pipelines.flood]\nrun = "flood:flood"\nevery = "1h"\n'
        f'[pipelines.flood.sources.all]\noptions = {{ on = "{on}", count = "{count}" }}\n',
        server=f'[store]\npath = "{disk}/triaged.duckdb"\n',
    )
    product.start()
    wait_for(lambda: product.get("/api/processing/failures")["total_failures"] > 50)
    return on, count


def degraded(product: Product) -> bool:
    answer = product.http.get("/readyz")
    return answer.status_code == 503 and product.get("/healthz")["status"] == "degraded"


def recovered(product: Product) -> bool:
    return product.http.get("/readyz").status_code == 200


def counted(product: Product, on: Path, count: Path) -> None:
    """Ends the flood: every failure that was reported is stored, none twice."""
    on.unlink()
    told = int(wait_for(lambda: count.exists() and count.read_text()))
    wait_for(lambda: product.get("/api/processing/failures")["total_failures"] == told)
    items = [failure["item"] for failure in product.failures()]
    assert items == [f"item {n}" for n in reversed(range(told))]


@pytest.mark.slow
@pytest.mark.requirement("X3")
def test_a_full_disk_is_reported_and_recording_catches_up_when_it_clears(
    product: Product, small_disk: Path
) -> None:
    on, count = flooding(product, small_disk)
    ballast = small_disk / "ballast"
    fill(ballast)
    wait_for(lambda: degraded(product))
    assert "space" in json.dumps(product.get("/healthz")).lower()
    metrics = product.metrics()
    assert metrics["triaged_store_errors_total"] > 0
    assert metrics["triaged_store_queue_events"] > 0
    before = product.get("/api/processing/failures")["total_failures"]
    assert before > 50  # what is stored can still be read
    ballast.unlink()
    wait_for(lambda: recovered(product))
    counted(product, on, count)
    assert product.stop() == 0
    events = [json.loads(line)["event"] for line in product.log.read_text().splitlines()]
    assert events.index("store_unwritable") < events.index("store_recovered")


@pytest.mark.slow
@pytest.mark.requirement("X3")
def test_a_data_directory_that_turns_read_only_is_reported_and_waited_out(
    product: Product, small_disk: Path
) -> None:
    product.log = Path("/dev/null")  # the limit must not hit the log
    on, count = flooding(product, small_disk)
    # A limit on the size of files stands in for a file system that takes no more writes: one with
    # open files cannot be remounted read-only.
    size = (small_disk / "triaged.duckdb.wal").stat().st_size
    resource.prlimit(product.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    wait_for(lambda: degraded(product))
    resource.prlimit(
        product.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    wait_for(lambda: recovered(product))
    counted(product, on, count)


@pytest.mark.requirement("X3")
def test_a_read_only_data_directory_gets_a_clear_message(
    product: Product, small_disk: Path
) -> None:
    remount(small_disk, "ro")
    product.configure("", server=f'[store]\npath = "{small_disk}/data/triaged.duckdb"\n')
    done = product.command("serve", "--config", str(product.config))
    assert done.returncode == 3
    assert "cannot be opened" in done.stderr
    assert "ead-only" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.requirement("X3")
def test_a_second_daemon_on_the_same_database_is_refused(product: Product) -> None:
    product.configure_orders(every="1h")
    product.start()
    other = Product(product.folder)
    other.configure_orders(every="1h")
    done = other.command("serve", "--config", str(other.config))
    assert done.returncode == 3
    assert "open in another process" in done.stderr
    assert str(product.process.pid) in done.stderr
    assert product.get("/healthz")["status"] == "ok"


@pytest.mark.requirement("X3")
@pytest.mark.parametrize("damage", ["not a database", "one block"])
def test_a_damaged_database_gets_a_clear_message_and_is_left_alone(
    product: Product, damage: str
) -> None:
    product.configure_orders(every="1h")
    product.drop("bad.csv", BAD)
    product.start()
    product.wait_for_file("bad.csv", "partial")
    assert product.stop() == 0
    file = product.folder / "data/triaged.duckdb"
    content = bytearray(file.read_bytes())
    if damage == "one block":
        content[4096 : 4096 + 64] = b"\xff" * 64
        content[8192 : 8192 + 64] = b"\xff" * 64
    else:
        content[:] = b"not a database at all" * 1000
    file.write_bytes(content)
    done = product.command("serve", "--config", str(product.config))
    assert done.returncode == 3
    assert "damaged" in done.stderr
    assert "Traceback" not in done.stderr
    assert file.read_bytes() == content


@pytest.mark.requirement("X3")
def test_an_older_store_is_upgraded_and_a_newer_one_refused(product: Product) -> None:
    from daemon.store.migrate import MIGRATIONS

    data = product.folder / "data"
    data.mkdir()
    with duckdb.connect(str(data / "triaged.duckdb")) as connection:
        connection.execute("CREATE TABLE schema_migrations (version INTEGER, name VARCHAR)")
        connection.execute((MIGRATIONS / "0001_runs_and_failures.sql").read_text())
        connection.execute("INSERT INTO schema_migrations VALUES (1, '0001_runs_and_failures.sql')")
        connection.execute(
            "INSERT INTO runs VALUES ('20250101T000000000-00000001', 'ingest', 'orders', 'c', "
            "'schedule', 'running', 'idle', '', '2026-11-01', NULL, NULL, 0, 0, 0, 0, NULL, NULL, "
            "NULL, NULL, NULL, NULL, NULL)"
        )
    product.configure_orders(every="1h")
    product.drop("good.csv", GOOD)
    product.start()
    product.wait_for_file("good.csv", "success")
    old = product.get("/api/runs/20250101T000000000-00000001")
    assert old["status"] == "interrupted"
    assert product.stop() == 0
    with duckdb.connect(str(data / "triaged.duckdb")) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (999, 'later.sql')")
    before = (data / "triaged.duckdb").read_bytes()
    done = product.command("serve", "--config", str(product.config))
    assert done.returncode == 3
    assert "later version" in done.stderr
    assert (data / "triaged.duckdb").read_bytes() == before


@pytest.mark.requirement("X3")
def test_a_warehouse_that_its_owner_has_open_delays_files_and_loses_none(product: Product) -> None:
    product.configure_orders()
    product.drop("first.csv", GOOD)
    product.start()
    product.wait_for_file("first.csv", "success")
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()",
            str(product.folder / "data/warehouse.duckdb"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    assert owner.stdout.readline() == b"open\n"
    product.drop("second.csv", GOOD.replace("1,", "3,").replace("2,", "4,"))
    (failure, *_) = wait_for(lambda: product.failures(category="service_unavailable"))
    assert failure["is_retryable"]
    assert failure["item"] is None
    labels = '{category="service_unavailable",pipeline="ingest",source="orders"}'
    assert product.metrics()[f"triaged_source_failing{labels}"] == 1
    owner.stdin.close()
    owner.wait()
    product.wait_for_file("second.csv", "success")
    wait_for(lambda: not product.failures(status="open"))
    assert product.metrics()[f"triaged_source_failing{labels}"] == 0


@pytest.mark.requirement("X3")
def test_sigterm_lets_runs_end_marks_the_rest_interrupted_and_exits_with_0(
    product: Product,
) -> None:
    (product.folder / "slow.py").write_text(
        "import time\n"
        "def polite(run):\n"
        "    while not run.cancelled:\n        time.sleep(0.01)\n    run.succeed('last')\n"
        "def deaf(run):\n    time.sleep(3600)\n"
        "def quick(run):\n    time.sleep(1)\n    run.succeed('all')\n"
    )
    product.configure(
        "".join(
            f'[pipelines.{name}]\nrun = "slow:{name}"\nevery = "1h"\n'
            for name in ("polite", "deaf", "quick")
        )
    )
    product.config.write_text(product.config.read_text().replace('"5s"', '"2s"'))
    product.start()
    wait_for(lambda: len(product.get("/api/processing/status")["active"]) == 3)
    assert product.stop() == 0
    product.configure("")
    product.start()
    ended = {run["pipeline"]: run["status"] for run in product.get("/api/runs")["runs"]}
    assert ended == {"polite": "interrupted", "deaf": "interrupted", "quick": "success"}
