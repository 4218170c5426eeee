"""A fault of one file is a fault of that file: neither of the run nor of the warehouse."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from daemon.pipelines.ingest import failures, trial
from daemon.pipelines.ingest.sweep import FolderSweep
from tests.unit.ingest.test_compression import zstd
from tests.unit.ingest_support import Ingestion

HEADER = "order_id,email,amount\n"
GOOD = HEADER + "1,a,1\n"
CSV = HEADER + "".join(f"{n},user{n},1\n" for n in range(20_000))
TOO_LONG = "LINE SIZE OVER MAXIMUM"


def frame(descriptor: int, *header: int) -> bytes:
    """A Zstandard frame that holds one byte, with the header that is wanted."""
    return b"\x28\xb5\x2f\xfd" + bytes([descriptor, *header]) + b"\x09\x00\x00x"


def parquet(folder: Path, **options: str) -> bytes:
    place = folder / "made.parquet"
    more = "".join(f", {name} {value}" for name, value in options.items())
    duckdb.connect().execute(
        f"""COPY (SELECT i AS order_id, 'e' || hash(i) AS email, 1.5::DECIMAL(10,2) AS amount
            FROM range(9000) r(i)) TO '{place}' (FORMAT parquet{more})"""
    )
    return place.read_bytes()


def flipped(data: bytes, at: int, count: int) -> bytes:
    return data[:at] + bytes(byte ^ 0xFF for byte in data[at : at + count]) + data[at + count :]


def faults(ingestion: Ingestion) -> list[tuple[str | None, str | None]]:
    """What failed, after a run that has to load the good file beside it."""
    ingestion.put("z.csv", GOOD)
    run = ingestion.run()
    assert list(run.succeeded) == ["z.csv"]
    assert ingestion.query("SELECT count(*) FROM orders") == [(1,)]
    return [(failure.item, failure.error_class) for failure in run.failures]


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("at", [0, 7, 40])
def test_zstandard_that_is_damaged_anywhere_fails_alone(tmp_path: Path, at: int):
    ingestion = Ingestion(tmp_path)
    data = zstd(tmp_path, CSV)
    ingestion.put("a.csv.zst", flipped(data, at % len(data), 1))
    assert [name for name, _ in faults(ingestion)] == ["a.csv.zst"]


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(
    ("data", "told"),
    [(frame(0x21, 7, 1), "dictionary"), (frame(0x00, 0xA8), "window")],
)
def test_zstandard_that_needs_more_than_the_file_says_what_it_needs(tmp_path, data, told):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv.zst", data)
    ingestion.put("z.csv", GOOD)
    [failure] = ingestion.run().failures
    assert failure.error_class == "ZSTD_UNSUPPORTED"
    assert told in failure.message


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("at", [10, 200, 4000, -400, -150])
def test_parquet_that_is_damaged_anywhere_fails_alone(tmp_path: Path, at: int, declared: bool):
    ingestion = Ingestion(tmp_path, **({} if declared else {"columns": None}))
    data = parquet(tmp_path)
    ingestion.put("a.parquet", flipped(data, at % len(data), 40))
    assert [name for name, _ in faults(ingestion)] == ["a.parquet"]


@pytest.mark.requirement("I2")
def test_parquet_that_is_encrypted_says_so(tmp_path: Path):
    with duckdb.connect() as connection:
        connection.execute("SET force_mbedtls_unsafe = 'true'")
        connection.execute("PRAGMA add_parquet_key('k', '0123456789112345')")
        place = tmp_path / "made.parquet"
        connection.execute(
            f"COPY (SELECT 1 AS order_id) TO '{place}' (ENCRYPTION_CONFIG {{footer_key: 'k'}})"
        )
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.parquet", place.read_bytes())
    assert faults(ingestion) == [("a.parquet", "ENCRYPTED")]


@pytest.mark.requirement("I2")
def test_a_file_on_which_the_engine_breaks_fails_alone_and_the_warehouse_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ingestion = Ingestion(tmp_path)
    monkeypatch.setattr(trial.TrialReader, "read_parquet", lambda *_: None)
    damaged = flipped(parquet(tmp_path), 4000, 400)
    ingestion.put("a.parquet", damaged)
    broken: list[bool] = []
    broke_engine = failures.broke_engine
    monkeypatch.setattr(
        failures, "broke_engine", lambda error: (broken.append(broke_engine(error)), broken[-1])[1]
    )
    [(name, error_class)] = faults(ingestion)
    assert name == "a.parquet"
    assert error_class == ("ENGINE" if True in broken else error_class)


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_gzip_with_zeros_after_its_end_loads(tmp_path: Path, suffix: str):
    ingestion = Ingestion(tmp_path)
    text = CSV if suffix == "csv" else '{"order_id":1,"email":"a","amount":1}\n' * 20_000
    first, second = text[:100_000], text[100_000:]
    packed = gzip.compress(text.encode()) + bytes(5000)
    halves = b"".join(gzip.compress(half.encode()) + bytes(512) for half in (first, second))
    ingestion.put(f"a.{suffix}.gz", packed)
    ingestion.put(f"b.{suffix}.gz", halves)
    assert not ingestion.run().failures
    assert ingestion.query("SELECT count(*) FROM orders") == [(40_000,)]


@pytest.mark.requirement("I2")
def test_gzip_with_anything_else_after_its_end_is_damaged(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv.gz", gzip.compress(CSV.encode()) + bytes(20) + b"junk")
    assert faults(ingestion) == [("a.csv.gz", "COMPRESSION")]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("tail", [bytes(9_000_000), b"7,z," + b"9" * 3_000_000])
def test_a_long_last_line_without_a_line_feed_is_set_aside(tmp_path, packed, tail):
    ingestion = Ingestion(tmp_path)
    data = CSV.encode() + tail
    ingestion.put("a.csv.gz" if packed else "a.csv", gzip.compress(data) if packed else data)
    assert [cause[1:] for cause in ingestion.run().causes] == [(TOO_LONG, None, 1)]
    assert ingestion.query("SELECT count(*) FROM orders") == [(20_000,)]
    assert [row.row_number for row in ingestion.rejected()] == [20_002]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("packed", [False, True])
def test_a_long_line_of_json_lines_is_set_aside(tmp_path: Path, packed: bool):
    ingestion = Ingestion(tmp_path)
    row = b'{"order_id":1,"email":"a","amount":1}\n'
    data = row + b'{"order_id":2,"email":"' + b"x" * 9_000_000 + b'"}\n' + row + bytes(9_000_000)
    ingestion.put("a.jsonl.gz" if packed else "a.jsonl", gzip.compress(data) if packed else data)
    assert [cause[1:] for cause in ingestion.run().causes] == [(TOO_LONG, None, 2)]
    assert [row.row_number for row in ingestion.rejected()] == [2, 4]
    assert ingestion.query("SELECT count(*) FROM orders") == [(2,)]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("cell", ["ab\n" * 800_000, 'x""y\n' * 900_000, "x" * 3_000_000 + "\nb"])
def test_a_quoted_cell_that_is_too_long_is_one_row(tmp_path: Path, cell: str):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", f'{HEADER}1,a,1\n2,"{cell}",2\n3,c,3\n4,"d",4\nx,e,5\n')
    run = ingestion.run()
    assert sorted(cause[1:] for cause in run.causes) == [
        ("CAST", "order_id", 1),
        (TOO_LONG, None, 1),
    ]
    assert [row[0] for row in ingestion.rows()] == [1, 3, 4]
    assert [row.row_number for row in ingestion.rejected()] == [3, 6]


@pytest.mark.requirement("I3")
def test_a_quote_left_open_before_many_rows_still_costs_one_row(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    rows = "".join(f"{n},{'e' * 40},1\n" for n in range(100_000))
    ingestion.put("a.csv", f'{HEADER}0,"open,1\n{rows}7,"closed",1\n8,"open,1\n{rows}')
    run = ingestion.run()
    assert run.causes == [("a.csv", "UNQUOTED VALUE", None, 2)]
    assert ingestion.query("SELECT count(*) FROM orders") == [(200_001,)]


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(
    ("document", "record"),
    [
        ('[{"order_id":1},{"order_id":2},{"order_id":oops},{"order_id":4}]', 3),
        ('[{"order_id":oops}]', 1),
        ('{"order_id":1}\n{"order_id":oops}\n', 2),
        ('[{"order_id":1},{"order_id":2}', 3),
    ],
)
def test_a_broken_document_names_the_record_at_which_it_breaks(tmp_path, document, record):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.json", document)
    [failure] = ingestion.run().failures
    assert failure.error_class == "JSON_DOCUMENT"
    assert f"record {record}." in failure.message


@pytest.mark.requirement("I2")
def test_a_link_to_itself_fails_alone(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    (ingestion.inbox / "a.csv").symlink_to("a.csv")
    (ingestion.inbox / "b.csv").symlink_to("c.csv")
    (ingestion.inbox / "c.csv").symlink_to("b.csv")
    ingestion.put("z.csv", GOOD)
    run = ingestion.run()
    assert [failure.item for failure in run.failures] == ["a.csv", "b.csv", "c.csv"]
    assert list(run.succeeded) == ["z.csv"]


@pytest.mark.requirement("I2")
def test_a_folder_that_becomes_a_file_while_it_is_read_is_no_failure(tmp_path: Path, monkeypatch):
    ingestion = Ingestion(tmp_path, files="inbox/**/*.csv")
    ingestion.put("sub/a.csv", GOOD)
    process = FolderSweep.process

    def after_replacing(sweep, candidate):
        (ingestion.inbox / "sub/a.csv").unlink()
        (ingestion.inbox / "sub").rmdir()
        ingestion.put("sub", "x")
        process(sweep, candidate)

    monkeypatch.setattr(FolderSweep, "process", after_replacing)
    run = ingestion.run()
    assert run.skipped == ["sub/a.csv"]
    assert run.failures == []


@pytest.mark.requirement("F3")
def test_one_bad_row_and_many_are_told_in_the_same_words(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("one.csv", GOOD + "x,a,1\n")
    ingestion.put("two.csv", GOOD + "x,a,1\ny,b,2\n")
    one, two = ingestion.run().failures
    assert one.message.replace("1", "2") == two.message
