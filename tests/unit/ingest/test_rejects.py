"""Rejected rows: read page by page, exported, fixed and loaded again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.errors import InvalidQuery
from daemon.pipelines.ingest.rejected_export import csv_of, json_lines_of
from daemon.pipelines.ingest.rejected_rows import Filter, RejectedRows
from tests.unit.ingest_support import Ingestion

HEADER = "order_id,email,amount\n"
BAD = HEADER + "x,a,1\n1,b,y\n2,c\n3,d,1,more\n4,good,1\n"


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    return Ingestion(tmp_path)


@pytest.fixture
def reader(ingestion: Ingestion) -> Iterator[RejectedRows]:
    reader = RejectedRows(ingestion.rejects)
    yield reader
    reader.close()


def exported(reader: RejectedRows, wanted: Filter | None = None, **options) -> list[list[str]]:
    data = b"".join(csv_of(reader, "orders", wanted or Filter(), **options))
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.mark.requirement("I3")
def test_pages_follow_each_other_through_all_files_without_gap_or_repeat(ingestion, reader):
    for n in range(7):
        ingestion.put(f"{n}.csv", HEADER + "".join(f"x{n}-{m},a,1\n" for m in range(n)))
    ingestion.run()
    seen, cursor = [], None
    while True:
        page = reader.page("orders", Filter(), limit=4, cursor=cursor)
        assert len(page.rows) <= 4
        seen += [(row.path, row.row_number) for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == [(f"{n}.csv", m + 2) for n in range(7) for m in range(n)]
    assert reader.count("orders", Filter()) == 21


@pytest.mark.requirement("I3")
def test_rows_are_found_by_path_cause_and_class(ingestion, reader):
    ingestion.put("a.csv", BAD)
    ingestion.put("b.csv", HEADER + "z,a,1\n")
    ingestion.run()

    def found(**wanted):
        rows = reader.page("orders", Filter(**wanted)).rows
        assert reader.count("orders", Filter(**wanted)) == len(rows)
        return sorted((row.path, row.row_number) for row in rows)

    assert found(path="b.csv") == [("b.csv", 2)]
    assert found(cause="CAST:order_id") == [("a.csv", 2), ("b.csv", 2)]
    assert found(error_class="CAST") == [("a.csv", 2), ("a.csv", 3), ("b.csv", 2)]
    assert found(path="a.csv", error_class="TOO MANY COLUMNS") == [("a.csv", 5)]
    assert found(path="none.csv") == []
    assert reader.page("unknown", Filter()).rows == []


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "bnVsbA==", "Wy0xXQ=="])
def test_a_cursor_of_no_list_is_refused(reader, cursor):
    with pytest.raises(InvalidQuery):
        reader.page("orders", Filter(), cursor=cursor)


@pytest.mark.requirement("I3")
def test_the_export_has_the_original_columns_and_then_the_reasons(ingestion, reader):
    ingestion.put("a.csv", BAD)
    ingestion.run()
    header, *rows = exported(reader, categorise=lambda error_class: error_class.lower())
    assert header == [
        "order_id", "email", "amount", "_triaged_path", "_triaged_row", "_triaged_category",
        "_triaged_column", "_triaged_reason", "_triaged_raw",
    ]  # fmt: skip
    assert [row[:7] for row in rows] == [
        ["x", "a", "1", "a.csv", "2", "cast", "order_id"],
        ["1", "b", "y", "a.csv", "3", "cast", "amount"],
        ["2", "c", "", "a.csv", "4", "missing columns", ""],
        ["3", "d", "1", "a.csv", "5", "too many columns", ""],
    ]
    assert [row[8] for row in rows] == ["", "", "2,c", "3,d,1,more"]
    assert all(row[7] for row in rows)


@pytest.mark.requirement("I3")
def test_an_export_that_was_fixed_loads_when_it_is_dropped_into_the_inbox(ingestion, reader):
    ingestion.put("a.csv", HEADER + 'x,"=1+1, ""q""",-5\n-y,@home,-1.5\n7,fine,1\n')
    ingestion.run()
    data = b"".join(csv_of(reader, "orders", Filter())).decode()
    assert "'=1+1" in data
    assert "'-1.5" in data
    ingestion.put("fixed.csv", data.replace("\nx,", "\n1,").replace("\n'-y,", "\n'-2,"))
    run = ingestion.run()
    assert not run.failures
    assert [(row[0], row[1], float(row[2])) for row in ingestion.rows()] == [
        (-2, "@home", -1.5),
        (1, '=1+1, "q"', -5.0),
        (7, "fine", 1.0),
    ]


def test_apostrophes_in_files_that_are_no_export_are_data(ingestion):
    ingestion.put("a.csv", HEADER + "1,'=x,1\n")
    ingestion.run()
    assert [row[1] for row in ingestion.rows()] == ["'=x"]


def test_an_export_comes_in_the_delimiter_of_its_ingestion(tmp_path: Path):
    ingestion = Ingestion(tmp_path, delimiter=";")
    ingestion.put("a.csv", "order_id;email;amount\nx;a,b;1\n")
    ingestion.run()
    reader = RejectedRows(ingestion.rejects)
    data = b"".join(csv_of(reader, "orders", Filter(), delimiter=";")).decode()
    reader.close()
    ingestion.put("b.csv", data.replace("\nx;", "\n1;"))
    assert not ingestion.run().failures
    assert [row[1] for row in ingestion.rows()] == ["a,b"]


def test_files_of_different_headers_share_one_export(ingestion, reader):
    ingestion.put("a.csv", "order_id,email,amount\nx,a,1\n")
    ingestion.put("b.csv", "amount;extra;order_id;email\n2;e;y;b\n")
    ingestion.run()
    header, *rows = exported(reader)
    cells = [dict(zip(header, row, strict=True)) for row in rows]
    by_path = {row["_triaged_path"]: row for row in cells}
    assert by_path["b.csv"] | {"order_id": "y", "amount": "2", "extra": "e"} == by_path["b.csv"]
    assert by_path["a.csv"] | {"order_id": "x", "amount": "1", "extra": ""} == by_path["a.csv"]


@pytest.mark.requirement("I3")
def test_rejected_records_of_json_lines_are_exported_as_they_were(ingestion, reader):
    ingestion.put("a.jsonl", '{"order_id": "x", "email":"é"}\n{oops\n{"order_id":1}\n')
    ingestion.put("b.json", '[{"order_id":\n"y"}]')
    ingestion.run()
    lines = b"".join(json_lines_of(reader, "orders", Filter(path="a.jsonl"))).decode().splitlines()
    assert lines == ['{"order_id": "x", "email":"é"}', "{oops"]
    ingestion.put(
        "c.jsonl", "\n".join(lines).replace('"x"', "5").replace("{oops", '{"order_id":6}')
    )
    assert not ingestion.run().failures
    [element] = b"".join(json_lines_of(reader, "orders", Filter(path="b.json"))).splitlines()
    assert json.loads(element) == {"order_id": "y"}


def test_json_records_are_laid_out_in_columns_for_a_csv(ingestion, reader):
    ingestion.put("a.jsonl", '{"order_id":"x","email":null,"amount":[1]}\n{oops\n')
    ingestion.run()
    header, *rows = exported(reader)
    cells = [dict(zip(header, row, strict=True)) for row in rows]
    assert (cells[0]["order_id"], cells[0]["email"], cells[0]["amount"]) == ("x", "", "[1]")
    assert [cell["_triaged_raw"] for cell in cells] == ["", "{oops"]


def test_rejected_rows_of_csv_files_are_objects_in_json_lines(ingestion, reader):
    ingestion.put("a.csv", BAD)
    ingestion.run()
    lines = b"".join(json_lines_of(reader, "orders", Filter())).splitlines()
    assert json.loads(lines[0]) == {
        "order_id": "x", "email": "a", "amount": "1", "_triaged_path": "a.csv",
        "_triaged_row": "2",
    }  # fmt: skip
    assert json.loads(lines[3])["_triaged_raw"] == "3,d,1,more"


def test_an_export_of_many_rows_is_a_stream_of_small_pieces(ingestion, reader):
    ingestion.put("a.csv", HEADER + "".join(f"x{n},{'a' * 50},1\n" for n in range(20_000)))
    ingestion.run()
    pieces = list(csv_of(reader, "orders", Filter()))
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 100_000
    assert b"".join(pieces).count(b"\n") == 20_001


@pytest.mark.requirement("I3")
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
        min_size=1,
        max_size=8,
    )
)
def test_any_text_survives_rejection_export_and_loading_again(tmp_path_factory, texts):
    ingestion = Ingestion(tmp_path_factory.mktemp("any"), columns={"n": "BIGINT", "t": "VARCHAR"})
    rows = ['bad,"{}"\n'.format(text.replace('"', '""')) for text in texts]
    ingestion.put("a.csv", "n,t\n" + "".join(rows))
    ingestion.run()
    reader = RejectedRows(ingestion.rejects)
    data = b"".join(csv_of(reader, "orders", Filter())).decode()
    reader.close()
    ingestion.put("b.csv", data.replace("\nbad,", "\n1,"))
    assert not ingestion.run().failures
    assert sorted(row[1] for row in ingestion.rows()) == sorted(texts)


UNFIT = {
    "csv": HEADER + 'x,a,1\n2,c\n3,d,1,more\n4,"open,1\n5,"a"b,2\n6,g,1.50\n',
    "jsonl": '{"order_id":"x","email":"a","amount":1}\n{oops\n[1]\n{"order_id":2,"order_id":3}\n'
    '{"order_id":6,"email":"g","amount":1.5}\n',
}


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("export", [csv_of, json_lines_of])
def test_rejected_rows_that_come_back_as_they_were_are_rejected_each_time(
    ingestion, reader, form, export
):
    ingestion.put(f"a.{form}", UNFIT[form])
    ingestion.run()
    count = reader.count("orders", Filter(path=f"a.{form}"))
    suffix = "csv" if export is csv_of else "jsonl"
    path = f"a.{form}"
    for again in ("b", "c"):
        data = b"".join(export(reader, "orders", Filter(path=path)))
        path = f"{again}.{suffix}"
        ingestion.put(path, data)
        ingestion.run()
        assert reader.count("orders", Filter(path=path)) == count
    assert [row[0] for row in ingestion.rows()] == [6]


@pytest.mark.requirement("I3")
def test_an_export_as_a_spreadsheet_saves_it_is_not_taken_for_a_corrected_one(ingestion, reader):
    ingestion.put("a.csv", HEADER + "3,d,1.50,more\n")
    ingestion.run()
    data = b"".join(csv_of(reader, "orders", Filter())).decode()
    ingestion.put("b.csv", data.replace("3,d,1.50,a.csv", "3,d ,1.5,a.csv"))
    [failure] = ingestion.run().failures
    assert failure.error_class == "NOT_CORRECTED"


@pytest.mark.requirement("I3")
@pytest.mark.parametrize(
    ("before", "after"),
    [(',more cells than the header has,"3,d,1,more"', ",,"), ("3,d,1,a.csv", '3,"d,1",2,a.csv')],
)
def test_a_row_is_corrected_by_its_cells_or_by_emptying_its_text(ingestion, reader, before, after):
    ingestion.put("a.csv", HEADER + "3,d,1,more\n")
    ingestion.run()
    data = b"".join(csv_of(reader, "orders", Filter())).decode()
    assert before in data
    ingestion.put("b.csv", data.replace(before, after))
    assert not ingestion.run().failures
    assert [row[0] for row in ingestion.rows()] == [3]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("mode", ["permissive", "failfast"])
def test_a_version_without_a_good_row_leaves_the_rows_of_the_one_before(tmp_path, form, mode):
    ingestion = Ingestion(tmp_path, mode=mode)
    good = {"csv": HEADER + "1,a,1\n", "jsonl": '{"order_id":1,"email":"a","amount":1}\n'}[form]
    ingestion.put(f"a.{form}", good)
    ingestion.run()
    bad = {"csv": HEADER + "x,a,1\n" * 2, "jsonl": good.replace(":1,", ':"x",') * 2}[form]
    ingestion.put(f"a.{form}", bad)
    run = ingestion.run()
    assert [(f.item, f.in_part, f.column) for f in run.failures] == [
        (f"a.{form}", False, "order_id")
    ]
    assert [row[0] for row in ingestion.rows()] == [1]
    assert len(ingestion.rejected()) == (2 if mode == "permissive" else 1)
    ingestion.put(f"a.{form}", good + good.removeprefix(HEADER))
    assert not ingestion.run().failures
    assert [row[0] for row in ingestion.rows()] == [1, 1]
    assert ingestion.rejected() == []


@pytest.mark.requirement("I3")
def test_rejected_rows_of_a_version_that_is_not_loaded_are_kept_over_a_restart(tmp_path: Path):
    ingestion = Ingestion(tmp_path, mode="failfast")
    ingestion.put("a.csv", HEADER + "x,a,1\n")
    ingestion.run()
    ingestion.restarted()
    ingestion.put("b.csv", HEADER + "1,a,1\n")
    ingestion.run()
    assert [row.raw for row in ingestion.rejected()] == ["x,a,1"]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("declared", [True, False])
def test_a_first_file_without_a_good_row_makes_no_table(tmp_path: Path, declared: bool):
    columns = {"id": "BIGINT", "d": "DATE"}
    ingestion = Ingestion(tmp_path, columns=columns if declared else None)
    ingestion.put("a.csv", "id,d\n1,25/12/2024\n" if declared else "id,d\n1,2024-01-02,3\n")
    assert ingestion.run().failures
    assert ingestion.query("FROM duckdb_tables() WHERE table_name = 'orders'") == []
    (ingestion.inbox / "a.csv").unlink()
    mended = Ingestion(tmp_path, columns={"id": "BIGINT", "d": "VARCHAR"})
    mended.put("b.csv", "id,d\n1,25/12/2024\n")
    assert list(mended.run().succeeded) == ["b.csv"]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize(
    ("name", "content", "error_class"),
    [
        ("a.csv", "id,d\n1,2,3\n4,5,6\n", "TOO MANY COLUMNS"),
        ("a.csv", 'id,d\n"1,2\n', "UNQUOTED VALUE"),
        ("a.jsonl", "{oops\n", "JSON_SYNTAX"),
        ("a.jsonl", "[1]\n5\n", "JSON_NOT_OBJECT"),
        ("a.json", "[1, 2]", "JSON_NOT_OBJECT"),
        ("a.jsonl", "{}\n{}\n", "INFERENCE"),
    ],
)
def test_a_first_file_of_bad_rows_alone_is_no_success(tmp_path, name, content, error_class):
    ingestion = Ingestion(tmp_path, columns=None)
    ingestion.put(name, content)
    assert ingestion.run().failures[0].error_class == error_class
    assert ingestion.query("FROM duckdb_tables() WHERE table_name = 'orders'") == []


@pytest.mark.requirement("I3")
def test_exports_of_earlier_versions_without_the_text_are_no_good_rows_either(ingestion):
    added = (
        "_triaged_path,_triaged_row,_triaged_category,_triaged_column,_triaged_reason,_triaged_raw"
    )
    ingestion.put(
        "b.csv",
        f"order_id,email,amount,{added}\n"
        "3,c,,a.csv,4,data_malformed,,fewer cells than the header has,\n"
        '4,open,1,a.csv,5,data_malformed,,"a quote that is not closed, or not doubled inside a quoted cell",\n'
        "5,c,1.50,a.csv,6,data_malformed,,fewer cells than the header has,\n"
        '6,c,1.50,a.csv,7,schema_mismatch,amount,"Not a valid DECIMAL(10,2): x",\n',
    )
    assert ingestion.run().causes == [("b.csv", "NOT_CORRECTED", None, 2)]
    assert [row[0] for row in ingestion.rows()] == [5, 6]
