"""Compressed files: read whole or not at all."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from tests.unit.ingest_support import Ingestion

CSV = "order_id,email,amount\n" + "".join(f"{n},user{n},1\n" for n in range(20_000))
JSONL = "".join(f'{{"order_id":{n},"email":"user{n}","amount":1}}\n' for n in range(20_000))


def zstd(folder: Path, text: str) -> bytes:
    """The text as DuckDB compresses it."""
    plain, packed = folder / "plain", folder / "packed.zst"
    plain.write_text(text)
    duckdb.connect().execute(
        f"""COPY (FROM read_csv('{plain}', header = false, delim = '\x1f', quote = '', escape = '',
            columns = {{'l': 'VARCHAR'}}, auto_detect = false)) TO '{packed}'
            (FORMAT csv, HEADER false, QUOTE '', DELIMITER '\x1f', COMPRESSION zstd)"""
    )
    return packed.read_bytes()


def count(ingestion: Ingestion) -> int:
    return ingestion.query("SELECT count(*) FROM orders")[0][0]


@pytest.mark.parametrize(("suffix", "text"), [("csv", CSV), ("jsonl", JSONL)])
def test_gzip_loads_with_one_member_and_with_several(tmp_path, suffix, text):
    ingestion = Ingestion(tmp_path)
    half = text.index("\n", len(text) // 2) + 1
    ingestion.put(f"a.{suffix}.gz", gzip.compress(text.encode()))
    members = gzip.compress(text[:half].encode()) + gzip.compress(text[half:].encode())
    ingestion.put(f"b.{suffix}.gz", members)
    assert not ingestion.run().failures
    assert count(ingestion) == 40_000


@pytest.mark.parametrize(("suffix", "text"), [("csv", CSV), ("jsonl", JSONL), ("json", JSONL)])
def test_zstandard_loads(tmp_path, suffix, text):
    ingestion = Ingestion(tmp_path)
    ingestion.put(f"a.{suffix}.zst", zstd(tmp_path, text) * (1 if suffix == "csv" else 2))
    run = ingestion.run()
    assert not run.failures
    assert count(ingestion) == (20_000 if suffix == "csv" else 40_000)
    assert [p.name for p in ingestion.base.iterdir() if p.name.startswith("tmp")] == []


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("cut", [1, 4, 9, 2000])
@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_file_that_is_cut_off_never_loads_in_half(tmp_path, kind, cut):
    ingestion = Ingestion(tmp_path)
    data = gzip.compress(CSV.encode()) if kind == "gz" else zstd(tmp_path, CSV)
    ingestion.put(f"a.csv.{kind}", data[:-cut])
    ingestion.put("b.csv", "order_id,email,amount\n1,a,1\n")
    run = ingestion.run()
    assert [(f.item, f.error_class) for f in run.failures] == [(f"a.csv.{kind}", "COMPRESSION")]
    assert count(ingestion) == 1


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_file_that_is_not_what_its_name_says_fails(tmp_path, kind):
    ingestion = Ingestion(tmp_path)
    ingestion.put(f"a.csv.{kind}", CSV)
    [failure] = ingestion.run().failures
    assert failure.error_class == "COMPRESSION"


def test_a_flipped_bit_in_gzip_is_noticed(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    data = bytearray(gzip.compress(CSV.encode()))
    data[len(data) // 2] ^= 1
    ingestion.put("a.csv.gz", bytes(data))
    [failure] = ingestion.run().failures
    assert failure.error_class == "COMPRESSION"


def test_text_inside_is_checked_as_outside(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv.gz", gzip.compress(b"order_id,email,amount\n1,\xff,1\n"))
    ingestion.put("b.csv.gz", gzip.compress(b""))
    run = ingestion.run()
    assert [f.error_class for f in run.failures] == ["ENCODING", "EMPTY_FILE"]


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_bad_rows_keep_their_numbers(tmp_path, kind):
    ingestion = Ingestion(tmp_path)
    text = CSV + '7,"open,1\nx,y,1\n'
    data = gzip.compress(text.encode()) if kind == "gz" else zstd(tmp_path, text)
    ingestion.put(f"a.csv.{kind}", data)
    ingestion.run()
    assert [(r.row_number, r.raw) for r in ingestion.rejected()] == [
        (20_002, '7,"open,1'),
        (20_003, "x,y,1"),
    ]
