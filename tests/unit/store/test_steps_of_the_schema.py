"""Steps of the schema are final: a store that was brought here by others is refused, and none changes afterwards."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from daemon.errors import StoreUnavailable
from daemon.store.database import Database
from daemon.store.migrate import MIGRATIONS

FINAL = {
    "0001_runs_and_failures.sql": "9509164fdbfd7a98",
    "0002_files.sql": "d82be3a436d3ff1b",
    "0003_groups.sql": "a342488ca6dae831",
    "0004_retry_operations.sql": "092e2b864993eaa6",
    "0005_source_versions.sql": "ccfe7e4729f8e171",
    "0006_messages.sql": "4ab511c6d674f161",
    "0007_audit.sql": "a89eb9418f398b41",
    "0008_accounts.sql": "ec3f2e8033816762",
    "0009_mailboxes.sql": "ad2b287511365795",
    "0010_work.sql": "f047795b92d7da14",
    "0011_mailbox_reach.sql": "b74481642ea37fa5",
    "0012_commits.sql": "a0f26a0f26a8222d",
    "0013_arrivals.sql": "f77629a0cc8fddea",
    "0014_refresh_tokens.sql": "5c8d526516043e2b",
}
"""What each holds. A change to the schema is a new step, never another text for an old one."""


def test_no_step_has_changed_since_stores_went_through_it() -> None:
    found = {
        step.name: sha256(step.read_bytes()).hexdigest()[:16]
        for step in MIGRATIONS.iterdir()
        if step.name.endswith(".sql")
    }
    assert found == FINAL


@pytest.mark.requirement("F6", "F8")
def test_a_store_that_another_triaged_has_changed_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "triaged.duckdb"
    Database(path, memory_limit=64_000_000).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE schema_migrations SET name = '0002_other.sql' WHERE version = 2")
    before = path.read_bytes()
    with pytest.raises(
        StoreUnavailable, match=r"by 0002_other\.sql, where this one has 0002_files"
    ):
        Database(path, memory_limit=64_000_000)
    assert path.read_bytes() == before
