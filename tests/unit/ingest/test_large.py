"""Files of many rows or megabytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.pipelines.ingest import csv_load, file_load, memory
from tests.unit.ingest_support import Ingestion

HEADER = "order_id,email,amount\n"


@pytest.mark.requirement("I3")
def test_a_million_bad_rows_of_one_cause_are_one_failure(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    rows = "".join(f"{n},a,b{n}\n" if n % 2 else f"{n},a,1\n" for n in range(20_000))
    ingestion.put("a.csv", HEADER + rows + "x,a,1\n")
    run = ingestion.run()
    assert run.causes == [
        ("a.csv", "CAST", "amount", 10_000),
        ("a.csv", "CAST", "order_id", 1),
    ]
    assert run.failures[0].sample_rows == tuple(range(3, 23, 2))
    assert "DECIMAL(10,2)" in run.failures[0].message


def test_a_quote_left_open_costs_one_row(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    rows = "".join(f"{n},name {n},1\n" for n in range(50_000))
    ingestion.put("a.csv", HEADER + '0,"open,1\n' + rows + '7,"closed",1\n')
    run = ingestion.run()
    assert run.causes == [("a.csv", "UNQUOTED VALUE", None, 1)]
    assert [(row.row_number, row.raw) for row in ingestion.rejected()] == [(2, '0,"open,1')]
    assert ingestion.query("SELECT count(*) FROM orders") == [(50_001,)]


def test_row_numbers_hold_in_files_that_are_read_by_several_threads(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    rows = "".join(
        f'{n},"multi\nline ""q"" {n}",{"bad" if n % 997 == 0 else 1}\n' for n in range(500_000)
    )
    ingestion.put("a.csv", HEADER + rows)
    ingestion.run()
    found = [(row.row_number, int(row.raw.split(",")[0])) for row in ingestion.rejected()]
    assert len(found) == 502
    assert all(number == order + 2 for number, order in found)


def test_a_statement_that_takes_too_much_memory_is_done_row_by_row(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(memory, "_MARGIN", -(1 << 40))
    monkeypatch.setattr(memory, "_PERIOD", 0.001)
    monkeypatch.setattr(csv_load, "LONGEST_LINE", 10_000)
    monkeypatch.setattr(csv_load, "_BUFFER", 40_000)
    ingestion = Ingestion(tmp_path)
    rows = "".join(f"{n},a,{'x' if n % 2 else 1}\n" for n in range(60_000))
    ingestion.put("a.csv", HEADER + rows)
    readings = []
    carefully = file_load.load_carefully
    monkeypatch.setattr(file_load, "load_carefully", lambda *a: (readings.append(a), carefully(*a)))
    run = ingestion.run()
    assert len(readings) == 1
    assert run.causes == [("a.csv", "CAST", "amount", 30_000)]
    assert ingestion.query("SELECT count(*), count(DISTINCT order_id) FROM orders") == [
        (30_000, 30_000)
    ]


def test_long_cells_load_and_overlong_lines_are_set_aside(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + f"1,{'x' * 1_000_000},1\n2,{'y' * 3_000_000},1\n3,z,1\n")
    run = ingestion.run()
    assert ingestion.query("SELECT order_id, length(email) FROM orders ORDER BY 1") == [
        (1, 1_000_000),
        (3, 1),
    ]
    assert run.causes == [("a.csv", "LINE SIZE OVER MAXIMUM", None, 1)]


def test_an_encoding_fault_is_placed_by_its_byte_beyond_the_first_megabyte(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    text = (HEADER + "1,ä,1\n" * 300_000).encode()
    ingestion.put("a.csv", text + b"2,\xff,1\n")
    [failure] = ingestion.run().failures
    assert f"byte {len(text) + 2:,}" in failure.message


def test_row_numbers_of_json_lines_hold_in_files_of_many_megabytes(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    lines = (
        f"bad {n}\n" if n % 997 == 0 else f'{{"order_id":{n},"email":"{"x" * 60}","amount":1}}\n'
        for n in range(200_000)
    )
    ingestion.put("a.jsonl", "".join(lines))
    run = ingestion.run()
    assert run.failures[0].row_count == 201
    found = [(row.row_number, int(row.raw.split()[1])) for row in ingestion.rejected()]
    assert all(number == n + 1 for number, n in found)
    assert ingestion.query("SELECT count(*) FROM orders") == [(200_000 - 201,)]
