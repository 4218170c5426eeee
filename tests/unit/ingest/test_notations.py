"""What senders write otherwise than triaged expects it: encodings, quotes, headers, numbers, dates."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from daemon.pipelines.ingest.checks import problems_of
from daemon.pipelines.ingest.rejected_export import csv_of
from daemon.pipelines.ingest.rejected_rows import Filter, RejectedRows
from tests.unit.ingest_support import Ingestion

pytestmark = pytest.mark.usefixtures("either_way")
COLUMNS = {"id": "BIGINT", "v": "VARCHAR"}


def loaded(tmp_path: Path, content: str | bytes, name: str = "a.csv", **source: Any) -> list[Any]:
    """The rows of a file of which none is rejected."""
    ingestion = Ingestion(tmp_path, **{"columns": COLUMNS} | source)
    assert problems_of(ingestion.config, ingestion.base) == []
    ingestion.put(name, content)
    assert not ingestion.run().failures
    return ingestion.rows()


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.json"])
@pytest.mark.parametrize(
    "encoding", ["windows-1252", "latin-1", "utf-16", "utf-16-le", "cp437", "utf-8"]
)
def test_text_of_any_encoding_loads_as_it_reads(tmp_path, name, encoding):
    text = "id,v\n1,Zoë ½\n" if ".csv" in name else '{"id":1,"v":"Zoë ½"}\n'
    data = text.encode(encoding)
    packed = gzip.compress(data) if name.endswith("gz") else data
    assert loaded(tmp_path, packed, name, encoding=encoding) == [(1, "Zoë ½")]


@pytest.mark.requirement("I2")
def test_bytes_that_are_none_of_the_encoding_fail_the_file(tmp_path: Path):
    ingestion = Ingestion(tmp_path, columns=COLUMNS, encoding="utf-16-le")
    ingestion.put("a.csv", "id,v\n1,a\n".encode("utf-16-le") + b"\x00\xd8")
    assert [f.error_class for f in ingestion.run().failures] == ["ENCODING"]


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("before", [0, 7, 3_000_000])
@pytest.mark.parametrize(
    ("encoding", "wrong"), [("windows-1252", b"\x81"), ("shift_jis", b"\x81\xff")]
)
def test_the_first_byte_that_is_none_of_the_encoding_is_named(tmp_path, before, encoding, wrong):
    ingestion = Ingestion(tmp_path, columns=COLUMNS, encoding=encoding)
    text = b"id,v\n1," + b"a" * before
    ingestion.put("a.csv", text + wrong + b"\n")
    [failure] = ingestion.run().failures
    assert f"byte {len(text):,} " in failure.message


@pytest.mark.requirement("I3")
def test_an_export_is_read_as_exports_are_written(tmp_path: Path):
    odd = {"encoding": "windows-1252", "quote": "'", "skip": 1, "header": False, "null": ["a"]}
    ingestion = Ingestion(tmp_path, columns=COLUMNS, **odd)
    ingestion.put("a.csv", "title\nx,'Zoë, a'\n".encode("windows-1252"))
    ingestion.run()
    reader = RejectedRows(ingestion.rejects)
    data = b"".join(csv_of(reader, "orders", Filter())).decode()
    reader.close()
    assert '"Zoë, a"' in data
    ingestion.put("b.csv", data.replace("\nx,", "\n1,"))
    assert not ingestion.run().failures
    assert ingestion.rows() == [(1, "Zoë, a")]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize(
    ("content", "source"),
    [
        ("sep=;\nid;v\n1;a,b\n", {}),
        ("sep=^\r\nid^v\r\n1^a,b\r\n", {}),
        ("id,v\n1,'a,b'\n", {"quote": "'"}),
        ('id,v\n1,"a,b"\n', {"escape": "\\"}),
        ('Report\n\nid,v\n1,"a,b"\n', {"skip": 1}),
        ('a "title\nid;v\n1;a,b\n', {"skip": 1}),
        ('1,"a,b"\n', {"header": False}),
        ("x\n1;a,b\n", {"header": False, "skip": 1, "delimiter": ";"}),
    ],
)
def test_cells_are_found_however_they_are_written(tmp_path, content, source):
    assert loaded(tmp_path, content, **source) == [(1, "a,b")]


@pytest.mark.requirement("I3")
def test_escaped_quotes_are_quotes(tmp_path: Path):
    assert loaded(tmp_path, 'id,v\n1,"a \\"b\\""\n', escape="\\") == [(1, 'a "b"')]


@pytest.mark.requirement("I3")
def test_cells_that_stand_for_no_value_are_null(tmp_path: Path):
    content = "id,v\nNA,-\n-,NA \n1,\n"
    assert loaded(tmp_path, content, null=["NA", "-"]) == [(1, None), (None, "NA "), (None, None)]


@pytest.mark.requirement("I3")
def test_row_numbers_count_what_is_skipped_and_no_header_that_is_not_there(tmp_path: Path):
    ingestion = Ingestion(tmp_path, columns=COLUMNS, header=False, skip=2)
    ingestion.put("a.csv", "title\n\n1,a\nx,b\n")
    ingestion.run()
    assert [(row.row_number, row.raw) for row in ingestion.rejected()] == [(4, "x,b")]
    assert ingestion.rows() == [(1, "a")]


GERMAN = {"decimal": ",", "thousands": ".", "date_format": "%d.%m.%Y"}


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_numbers_and_dates_are_read_as_they_are_written(tmp_path: Path, form: str):
    ingestion = Ingestion(tmp_path, columns={"n": "DECIMAL(10,2)", "d": "DATE"}, **GERMAN)
    values = [
        ("1.234,50", "25.12.2024"), ("-7", "2024-01-02"), ("1234,5", "01.02.2024"),
        ("1.23", "01.02.2024"), ("1.234.5", "01.02.2024"), ("1", "25.12.24"), ("1", "12/25/2024"),
    ]  # fmt: skip
    if form == "csv":
        ingestion.put("a.csv", "n;d\n" + "".join(f"{n};{d}\n" for n, d in values))
    else:
        ingestion.put("a.jsonl", "".join(f'{{"n":"{n}","d":"{d}"}}\n' for n, d in values))
    ingestion.run()
    assert ingestion.rows() == [
        (Decimal("-7.00"), date(2024, 1, 2)),
        (Decimal("1234.50"), date(2024, 2, 1)),
        (Decimal("1234.50"), date(2024, 12, 25)),
    ]
    first = 2 if form == "csv" else 1
    assert [row.row_number - first for row in ingestion.rejected()] == [3, 4, 5, 6]


@pytest.mark.requirement("I3")
def test_a_time_in_a_notation_keeps_its_pm(tmp_path: Path):
    found = loaded(
        tmp_path, "id,v\n1,12/25/2024 10:00 PM\n", columns={"id": "BIGINT", "v": "TIMESTAMP"},
        date_format="%m/%d/%Y %I:%M %p",
    )  # fmt: skip
    assert found == [(1, datetime(2024, 12, 25, 22, 0, tzinfo=UTC).replace(tzinfo=None))]


@pytest.mark.requirement("I3")
def test_columns_are_inferred_in_the_notation_that_is_configured(tmp_path: Path):
    ingestion = Ingestion(tmp_path, columns=None, null=["NA"], **GERMAN)
    ingestion.put("a.csv", "n;i;d;t;e\n1.234,5;1.234;25.12.2024;x;\n7;NA;01.02.2024;1,5;\n")
    assert not ingestion.run().failures
    assert ingestion.query(
        "SELECT typeof(n), typeof(i), typeof(d), typeof(t), typeof(e) FROM orders LIMIT 1"
    ) == [("DOUBLE", "BIGINT", "DATE", "VARCHAR", "VARCHAR")]
    assert ingestion.query("SELECT n, i FROM orders ORDER BY n") == [(7.0, None), (1234.5, 1234)]


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    ("source", "key"),
    [
        ({"encoding": "klingon"}, "encoding"),
        ({"encoding": "base64"}, "encoding"),
        ({"header": False, "columns": None}, "header"),
        ({"decimal": ",", "thousands": ","}, "thousands"),
        ({"quote": "\n"}, "quote"),
        ({"quote": "|", "delimiter": "|"}, "delimiter"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path, source, key):
    ingestion = Ingestion(tmp_path, **source)
    assert [problem.where for problem in problems_of(ingestion.config, ingestion.base)] == [
        f"pipelines.ingest.sources.orders.{key}"
    ]
