"""Parquet files."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.unit.ingest_support import Ingestion


def parquet(ingestion: Ingestion, name: str, select: str) -> Path:
    place = ingestion.put(name, b"")
    duckdb.connect().execute(f"COPY ({select}) TO '{place}' (FORMAT parquet)")
    return ingestion.put(name, place.read_bytes())


def test_columns_load_by_name_and_are_converted(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    parquet(
        ingestion, "a.parquet", "SELECT 1.5 AS amount, 'a' AS Email, 7::INT AS order_id, 0 AS x"
    )
    assert not ingestion.run().failures
    assert ingestion.rows() == [(7, "a", Decimal("1.50"))]


@pytest.mark.requirement("I3")
def test_values_that_cannot_be_converted_are_set_aside(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    parquet(
        ingestion,
        "a.parquet",
        "SELECT CASE WHEN i = 3 THEN 'x' ELSE i::VARCHAR END AS order_id, 'e' AS email,"
        " 1.0::DECIMAL(10,2) AS amount FROM range(1, 6) r(i)",
    )
    run = ingestion.run()
    assert run.causes == [("a.parquet", "CAST", "order_id", 1)]
    [row] = ingestion.rejected()
    assert (row.row_number, row.raw) == (3, '{"order_id":"x","email":"e","amount":1.0}')
    assert ingestion.query("SELECT count(*) FROM orders") == [(4,)]


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
@pytest.mark.requirement("I2")
def test_a_damaged_file_fails_alone(tmp_path, damage):
    ingestion = Ingestion(tmp_path)
    whole = parquet(ingestion, "a.parquet", "SELECT 1 AS order_id, 'a' AS email, 1 AS amount")
    data = {"cut": whole.read_bytes()[:-20], "text": b"order_id,email\n" * 5, "empty": b""}[damage]
    ingestion.put("b.parquet", data)
    run = ingestion.run()
    assert list(run.succeeded) == ["a.parquet"]
    expected = "EMPTY_FILE" if damage == "empty" else "NOT_PARQUET"
    assert [f.error_class for f in run.failures] == [expected]


def test_a_missing_column_fails_the_file(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    parquet(ingestion, "a.parquet", "SELECT 1 AS order_id")
    [failure] = ingestion.run().failures
    assert failure.error_class == "MISSING_COLUMN"
    assert "email, amount" in failure.message


def test_columns_are_inferred(tmp_path: Path):
    ingestion = Ingestion(tmp_path, columns=None)
    parquet(ingestion, "a.parquet", "SELECT 1::SMALLINT AS a, DATE '2024-01-01' AS b")
    assert not ingestion.run().failures
    assert ingestion.query("SELECT typeof(a), typeof(b) FROM orders") == [("SMALLINT", "DATE")]


def test_damage_inside_the_data_fails_the_file_and_loads_nothing(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    whole = parquet(
        ingestion,
        "a.parquet",
        "SELECT i AS order_id, 'e' || i AS email, 1.0::DECIMAL(10,2) AS amount FROM range(9000) r(i)",
    )
    data = bytearray(whole.read_bytes())
    data[200:400] = b"\xff" * 200
    ingestion.put("a.parquet", bytes(data))
    run = ingestion.run()
    assert [f.in_part for f in run.failures] == [False]
    assert run.failures[0].facts is not None
    assert run.failures[0].facts.rows_loaded == 0


def test_values_are_not_rounded_to_their_column(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    values = "(1.0, 'a', 0.25), (2.5, 'b', 1), (3, 'c', 0.125)"
    parquet(
        ingestion,
        "a.parquet",
        f"SELECT o::DOUBLE AS order_id, email, amount::DECIMAL(18,3) AS amount"
        f" FROM (VALUES {values}) AS t (o, email, amount)",
    )
    assert sorted(ingestion.run().causes, key=str) == [
        ("a.parquet", "CAST", "amount", 1),
        ("a.parquet", "CAST", "order_id", 1),
    ]
    assert ingestion.rows() == [(1, "a", Decimal("0.25"))]
