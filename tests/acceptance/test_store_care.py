"""A store that lost something, and backups, on the running product."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_access import make_key
from tests.support.product import Product, wait_for

PIPELINE = """
[pipelines.busy]
run = "busy:work"
every = "100ms"
"""
WORK = """
def work(run):
    run.fail(run.run_id, ValueError("it broke"))
"""
STORE, LOG = "data/triaged.duckdb", "data/triaged.duckdb.wal"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    (tmp_path / "busy.py").write_text(WORK)
    product = Product(tmp_path)
    product.configure(PIPELINE)
    yield product
    product.kill()


def killed_after(product: Product, failures: int) -> None:
    """Runs it till so much is stored, and kills it."""
    product.start()
    wait_for(lambda: product.get("/api/failures")["total_failures"] >= failures)
    product.kill()


def data(product: Product) -> dict[str, bytes]:
    files = (product.folder / "data").iterdir()
    return {file.name: file.read_bytes() for file in files if file.is_file()}


def refused(product: Product) -> str:
    """What the daemon says, which must not start."""
    done = product.command("serve", "--config", str(product.config))
    assert done.returncode == 3, done
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.requirement("F6", "X4")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda log: log.unlink(),
        lambda log: log.write_bytes(b""),
        lambda log: log.write_bytes(log.read_bytes()[: log.stat().st_size // 2]),
        lambda log: log.write_bytes(log.read_bytes()[: log.stat().st_size * 3 // 4]),
        lambda log: log.write_bytes(b"noise" * 1000),
    ],
    ids=["removed", "emptied", "halved", "end_cut", "overwritten"],
)
def test_a_store_that_lacks_what_was_stored_is_left_as_it_is_till_a_person_decides(
    product: Product, spoil: Callable[[Path], object]
) -> None:
    killed_after(product, 10)
    spoil(product.folder / LOG)
    before = data(product)
    said = refused(product)
    assert "lacks the last" in said
    assert data(product) == before
    config = ("--config", str(product.config))
    assert product.command("check-store", *config).returncode == 3
    assert data(product) == before
    accepted = product.command("check-store", "--accept-loss", *config)
    assert accepted.returncode == 0, accepted.stderr
    product.start()
    assert product.get("/healthz")["status"] == "ok"


@pytest.mark.requirement("F6")
def test_a_kill_is_never_taken_for_a_loss(product: Product) -> None:
    for failures in range(5, 55, 5):
        killed_after(product, failures)
    checked = product.command("check-store", "--config", str(product.config))
    assert checked.returncode == 0, checked.stderr
    assert "all can be read" in checked.stdout


@pytest.mark.requirement("F6")
def test_a_damaged_block_ends_the_start_with_a_sentence(product: Product) -> None:
    product.start()
    wait_for(lambda: product.get("/api/failures")["total_failures"] >= 20)
    assert product.stop() == 0
    store = product.folder / STORE
    content = bytearray(store.read_bytes())
    for place in range(20_000, len(content), 4096):
        content[place] ^= 0xFF
    store.write_bytes(content)
    assert "triaged.duckdb" in refused(product)
    assert store.read_bytes() == content


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("runs", [True, False], ids=["running", "stopped"])
def test_a_backup_holds_all_that_was_acknowledged_and_can_be_started_from(
    product: Product, tmp_path: Path, runs: bool
) -> None:
    killed_after(product, 5)
    before = 5
    if runs:
        product.start()
        before = product.get("/api/failures")["total_failures"]
    backup = tmp_path / "backup.duckdb"
    done = product.command("backup", str(backup), "--config", str(product.config))
    assert done.returncode == 0, done.stderr
    assert backup.stat().st_mode & 0o777 == 0o600
    assert list((product.folder / "data").glob(".backup-*")) == []
    again = product.command("backup", str(backup), "--config", str(product.config))
    assert (again.returncode, "is there already" in again.stderr) == (3, True)
    if runs:
        assert product.get("/healthz")["status"] == "ok"
    product.kill()
    shutil.rmtree(product.folder / "data")
    (product.folder / "data").mkdir()
    shutil.move(backup, product.folder / STORE)
    product.start()
    assert product.get("/api/failures")["total_failures"] >= before


@pytest.mark.requirement("F6", "S6")
def test_only_administrators_get_a_backup_of_a_running_daemon(
    product: Product, tmp_path: Path
) -> None:
    key = make_key(product, "ann", "operate")
    product.start()
    env = {"TRIAGED_API_KEY": key, "PATH": "/usr/bin:/bin"}
    target = str(tmp_path / "backup.duckdb")
    done = product.command("backup", target, "--config", str(product.config), env=env)
    assert (done.returncode, "administer" in done.stderr) == (5, True), done
    assert not (tmp_path / "backup.duckdb").exists()
