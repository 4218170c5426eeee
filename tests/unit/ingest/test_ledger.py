"""The ledger in the warehouse decides what is loaded, whatever became of warehouse, table or configuration."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from daemon.pipelines.ingest.failures import WarehouseError
from tests.unit.ingest_support import ORDERS, Ingestion

HEADER = "order_id,email\n"
COLUMNS = {"order_id": "BIGINT", "email": "VARCHAR"}


def rows(*ids: int, text: str = "a") -> str:
    return HEADER + "".join(f"{each},{text}\n" for each in ids)


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    """One file of two rows is loaded."""
    made = Ingestion(tmp_path, columns=COLUMNS)
    made.put("a.csv", rows(1, 2))
    made.run()
    return made


def ids(ingestion: Ingestion, table: str = "orders") -> list[int]:
    return [row[0] for row in ingestion.rows(table)]


@pytest.mark.requirement("I1", "X3")
@pytest.mark.parametrize("touched", [True, False])
@pytest.mark.parametrize("restarted", [True, False])
def test_a_lost_warehouse_is_filled_again(ingestion, touched, restarted):
    (ingestion.base / "warehouse.duckdb").unlink()
    if touched:
        ingestion.put("a.csv", rows(1, 2), age=10)
    if restarted:
        ingestion.restarted()
    assert list(ingestion.run().succeeded) == ["a.csv"]
    assert ids(ingestion) == [1, 2]
    assert ingestion.run().skipped == [1]


@pytest.mark.requirement("I1", "X3")
def test_what_an_older_warehouse_lacks_is_loaded_when_it_is_put_back(ingestion: Ingestion):
    warehouse = ingestion.base / "warehouse.duckdb"
    shutil.copy(warehouse, ingestion.base / "backup")
    ingestion.put("a.csv", rows(3, 4), age=30)
    ingestion.put("b.csv", HEADER + "5,a\nx,b\n")
    first = ingestion.run()
    shutil.copy(ingestion.base / "backup", warehouse)
    again = ingestion.run()
    assert (list(again.succeeded), again.causes) == (["a.csv"], first.causes)
    assert ids(ingestion) == [3, 4, 5]
    assert len(ingestion.rejected()) == 1


@pytest.mark.requirement("I1")
def test_another_table_gets_all_files_and_the_one_before_is_left_as_it_is(ingestion: Ingestion):
    ingestion.configure(orders={"table": "other"})
    assert list(ingestion.run().succeeded) == ["a.csv"]
    assert (ids(ingestion), ids(ingestion, "other")) == ([1, 2], [1, 2])
    ingestion.configure(orders={"table": "orders"})
    ingestion.run()
    assert (ids(ingestion), ids(ingestion, "other")) == ([1, 2], [1, 2])
    assert ingestion.query(
        "SELECT count(*) FROM orders JOIN triaged_files ON _file_id = file_id"
    ) == [(2,)]


def test_another_ingestion_that_takes_the_former_table_doubles_nothing(ingestion: Ingestion):
    ingestion.configure(orders={"table": "other"})
    ingestion.run()
    ingestion.configure(orders={"table": "other"}, again={"table": "orders"})
    ingestion.run("again")
    ingestion.run()
    assert (ids(ingestion), ids(ingestion, "other")) == ([1, 2], [1, 2])


@pytest.mark.requirement("I1")
@pytest.mark.parametrize("changed", [True, False])
def test_an_ingestion_of_another_name_takes_over_what_was_loaded(ingestion, changed):
    ingestion.put("bad.csv", HEADER + "7,a\nx,b\n")
    ingestion.run()
    if changed:
        ingestion.put("a.csv", rows(2, 3), age=10)
    ingestion.configure(renamed={})
    run = ingestion.run("renamed")
    assert (list(run.succeeded), run.causes) == (["a.csv"], [("bad.csv", "CAST", "order_id", 1)])
    assert ids(ingestion) == ([2, 3, 7] if changed else [1, 2, 7])
    assert ingestion.query("SELECT DISTINCT source FROM triaged_files") == [("renamed",)]
    assert ingestion.run("renamed").skipped == [2]


@pytest.mark.requirement("I1")
@pytest.mark.parametrize("changed", [True, False])
def test_a_wider_and_a_narrower_glob_find_the_same_files(tmp_path: Path, changed: bool):
    ingestion = Ingestion(tmp_path, columns=COLUMNS, files="inbox/sub/*.csv")
    ingestion.put("sub/a.csv", rows(1, 2))
    ingestion.put("a.csv", rows(8))
    ingestion.run()
    assert ids(ingestion) == [1, 2]
    if changed:
        ingestion.put("sub/a.csv", rows(3), age=10)
    ingestion.configure(orders={"files": "inbox/**/*.csv"})
    assert list(ingestion.run().succeeded) == ["a.csv", "sub/a.csv"]
    assert ids(ingestion) == ([3, 8] if changed else [1, 2, 8])
    ingestion.configure(orders={"files": str(ingestion.inbox / "sub/*")})
    ingestion.run()
    assert ids(ingestion) == ([3, 8] if changed else [1, 2, 8])


@pytest.mark.requirement("I1")
def test_a_folder_that_moved_with_its_files_doubles_nothing(ingestion: Ingestion):
    ingestion.put("b.csv", rows(5))
    ingestion.run()
    ingestion.inbox.rename(ingestion.base / "elsewhere")
    (ingestion.base / "elsewhere/b.csv").write_text(rows(6))
    ingestion.configure(orders={"files": "elsewhere/*", "settle": 0.0})
    run = ingestion.run()
    assert (run.skipped, list(run.succeeded)) == ([1], ["b.csv"])
    assert ids(ingestion) == [1, 2, 6]
    assert ingestion.query("SELECT place FROM triaged_files ORDER BY 1") == [
        ("elsewhere/a.csv",),
        ("elsewhere/b.csv",),
    ]


@pytest.mark.requirement("I1")
def test_a_file_of_the_same_name_in_another_folder_is_not_taken_for_a_new_version(ingestion):
    (ingestion.base / "next").mkdir()
    ingestion.put("../next/a.csv", rows(3))
    ingestion.configure(orders={"files": "next/*.csv"})
    assert ingestion.run().causes == [("a.csv", "OTHER_FOLDER", None, None)]
    assert ids(ingestion) == [1, 2]
    ingestion.configure(newer={"files": "next/*.csv"})
    assert list(ingestion.run("newer").succeeded) == ["a.csv"]
    assert ids(ingestion) == [1, 2, 3]


@pytest.mark.requirement("I1", "I2")
def test_a_file_that_two_ingestions_cover_is_loaded_once_and_the_other_says_so(ingestion):
    ingestion.configure(orders={}, everything={"files": "inbox/**/*"})
    assert ingestion.run("everything").causes == [("a.csv", "LOADED_TWICE", None, None)]
    assert ids(ingestion) == [1, 2]
    ingestion.configure(orders={}, everything={"files": "inbox/**/*", "table": "other"})
    ingestion.index.forced.add("a.csv")
    assert list(ingestion.run("everything").succeeded) == ["a.csv"]
    assert (ids(ingestion), ids(ingestion, "other")) == ([1, 2], [1, 2])


def test_files_of_the_same_content_are_files_of_their_own(ingestion: Ingestion):
    ingestion.put("b.csv", rows(1, 2))
    assert list(ingestion.run().succeeded) == ["b.csv"]
    assert ids(ingestion) == [1, 1, 2, 2]


@pytest.mark.requirement("X3")
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE OR REPLACE TABLE orders AS SELECT DISTINCT order_id, email FROM orders",
        "DROP TABLE triaged_files",
        "DELETE FROM triaged_files",
        "CREATE OR REPLACE TABLE orders AS SELECT * REPLACE (_file_id::VARCHAR AS _file_id) FROM orders",
        "ALTER TABLE orders RENAME TO x; CREATE VIEW orders AS SELECT order_id, email FROM x",
    ],
)  # fmt: skip
def test_a_table_whose_rows_cannot_be_told_apart_by_file_fails_the_run(ingestion, statement):
    ingestion.query(statement)
    for version in (rows(1, 2), rows(1, 3)):
        ingestion.put("a.csv", version, age=20)
        with pytest.raises(WarehouseError) as raised:
            ingestion.run()
        assert raised.value.error_class == "TABLE_REBUILT"
        assert [row[0] for row in ingestion.query("SELECT order_id FROM orders ORDER BY 1")] == [
            1,
            2,
        ]
    ingestion.query("DROP VIEW orders" if "VIEW" in statement else "DROP TABLE orders")
    assert list(ingestion.run().succeeded) == ["a.csv"]
    assert ids(ingestion) == [1, 3]


@pytest.mark.requirement("X3")
@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE orders",
        "CREATE OR REPLACE TABLE orders (order_id BIGINT, email VARCHAR)",
        "ALTER TABLE orders RENAME TO kept",
    ],
)
def test_a_table_that_is_gone_or_made_anew_is_filled_again(ingestion, statement):
    ingestion.put("b.csv", rows(5))
    ingestion.run()
    ingestion.query(statement)
    assert list(ingestion.run().succeeded) == ["a.csv", "b.csv"]
    assert ids(ingestion) == [1, 2, 5]


@pytest.mark.requirement("I1")
def test_what_the_owner_does_to_rows_that_keep_their_file_stays(ingestion: Ingestion):
    ingestion.put("b.csv", rows(5, 6))
    ingestion.run()
    ingestion.query(
        "CREATE OR REPLACE TABLE orders AS SELECT * FROM orders WHERE order_id <> 5;"
        "DELETE FROM orders WHERE order_id = 1"
    )
    assert ingestion.run().skipped == [2]
    assert ids(ingestion) == [2, 6]
    ingestion.put("b.csv", rows(6, 7), age=10)
    ingestion.run()
    assert ids(ingestion) == [2, 6, 7]


@pytest.mark.requirement("I1")
@pytest.mark.parametrize("statement", ["ALTER TABLE orders RENAME TO other",
                                       "CREATE TABLE other AS FROM orders"])  # fmt: skip
def test_a_table_that_the_owner_renamed_or_copied_goes_on_without_doubles(ingestion, statement):
    ingestion.query(statement)
    ingestion.configure(orders={"table": "other"})
    ingestion.run()
    assert ids(ingestion, "other") == [1, 2]
    ingestion.put("a.csv", rows(2), age=10)
    ingestion.run()
    assert ids(ingestion, "other") == [2]


@pytest.mark.requirement("X3")
def test_a_ledger_of_an_earlier_version_goes_on(ingestion: Ingestion):
    ingestion.query("ALTER TABLE triaged_files DROP COLUMN place")
    ingestion.restarted()
    assert ingestion.run().skipped == [1]
    assert ingestion.query("SELECT place FROM triaged_files") == [("inbox/a.csv",)]
    ingestion.query("UPDATE triaged_files SET place = NULL")
    ingestion.put("a.csv", rows(4), age=10)
    ingestion.run()
    assert ids(ingestion) == [4]


@pytest.mark.requirement("X3")
def test_a_warehouse_in_use_is_looked_at_later_when_there_is_nothing_to_load(tmp_path: Path):
    ingestion = Ingestion(tmp_path, columns=ORDERS)
    ingestion.put("a.csv", "order_id,email,amount\n1,a,1\n")
    ingestion.run()
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as owner:
        owner.execute("DROP TABLE orders")
        owner.execute("CHECKPOINT")
        assert ingestion.run().skipped == [1]
        ingestion.put("b.csv", "order_id,email,amount\n2,b,1\n")
        with pytest.raises(WarehouseError) as raised:
            ingestion.run()
        assert raised.value.error_class == "WAREHOUSE_LOCKED"
    assert list(ingestion.run().succeeded) == ["a.csv", "b.csv"]
