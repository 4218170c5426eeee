"""Reading leaves nothing behind that writing would have to pay for."""

from __future__ import annotations

from pathlib import Path

from daemon.store.database import Database
from tests.unit.spine_support import MEMORY


def write_and_checkpoint(database: Database) -> None:
    """Raises where a transaction is still open."""
    database.writer.execute("INSERT INTO paused_pipelines VALUES ('mail', '2026-11-20')")
    database.writer.execute("UPDATE paused_pipelines SET paused_at = '2026-11-21'")
    database.writer.execute("CHECKPOINT")


def test_a_question_for_one_row_leaves_no_transaction_open(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    assert database.read().row("SELECT count(*) FROM failures") == (0,)
    write_and_checkpoint(database)
    database.close()


def test_opening_a_store_that_exists_leaves_no_transaction_open(tmp_path: Path) -> None:
    Database(tmp_path / "store.duckdb", memory_limit=MEMORY).close()
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    write_and_checkpoint(database)
    database.close()
