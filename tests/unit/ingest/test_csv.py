"""CSV files: what loads, what is set aside, and where it says the fault is."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.ingest_support import ORDERS, Ingestion

HEADER = "order_id,email,amount\n"

pytestmark = pytest.mark.usefixtures("either_way")


@pytest.mark.requirement("I3")
def test_good_rows_load_and_bad_rows_are_set_aside_with_column_row_and_raw_text(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "1,a@x,1.50\nx,b@x,2\n3,c@x,nope\n4,d\n5,e,1,extra\n6,f,7\n")
    run = ingestion.run()
    assert ingestion.rows() == [(1, "a@x", Decimal("1.50")), (6, "f", Decimal("7.00"))]
    found = [(r.row_number, r.column_name, r.error_class, r.raw) for r in ingestion.rejected()]
    assert found == [
        (3, "order_id", "CAST", "x,b@x,2"),
        (4, "amount", "CAST", "3,c@x,nope"),
        (5, None, "MISSING COLUMNS", "4,d"),
        (6, None, "TOO MANY COLUMNS", "5,e,1,extra"),
    ]
    assert all(row.reason for row in ingestion.rejected())
    assert [f.in_part for f in run.failures] == [True] * 4
    assert run.failures[0].facts is not None
    assert (run.failures[0].facts.rows_loaded, run.failures[0].facts.rows_rejected) == (2, 4)


@pytest.mark.requirement("I3")
def test_a_row_with_several_faults_is_one_row_with_its_first_fault(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "x,a,y\n1,a,1\n")
    run = ingestion.run()
    assert run.causes == [("a.csv", "CAST", "order_id", 1)]
    assert run.failures[0].facts is not None
    assert run.failures[0].facts.rows_rejected == 1


@pytest.mark.requirement("F6")
def test_no_failure_message_holds_a_value_of_the_file(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "secret-id,a,1\n1,a,secret-amount\n")
    ingestion.put("b.csv", HEADER + 'secret,"open,1\n')
    run = ingestion.run()
    assert run.failures
    assert not any("secret" in failure.message for failure in run.failures)


@pytest.mark.requirement("I3")
def test_failfast_loads_nothing_and_names_the_first_bad_record(tmp_path: Path):
    ingestion = Ingestion(tmp_path, mode="failfast")
    ingestion.put("a.csv", HEADER + "1,a,1\n2,a,secret\nx,a,1\n")
    ingestion.put("b.csv", HEADER + "9,b,1\n")
    run = ingestion.run()
    assert ingestion.rows() == [(9, "b", Decimal("1.00"))]
    [failure] = run.failures
    assert (failure.item, failure.error_class, failure.in_part) == ("a.csv", "CAST", False)
    assert "row 3, column amount" in failure.message
    assert (failure.sample_rows, failure.column) == ((3,), "amount")
    assert "secret" not in failure.message
    [kept] = ingestion.rejected()
    assert (kept.row_number, kept.column_name, kept.raw) == (3, "amount", "2,a,secret")


def test_columns_are_found_by_name_in_any_order_and_case_among_others(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", "junk;Amount;ORDER_ID; email\nz;1.5;7;q\n")
    assert not ingestion.run().failures
    assert ingestion.rows() == [(7, "q", Decimal("1.50"))]


def test_a_column_named_exactly_wins_over_one_of_another_case(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", "ORDER_ID,order_id,email,amount\n1,2,a,3\n")
    ingestion.run()
    assert ingestion.rows() == [(2, "a", Decimal("3.00"))]


@pytest.mark.parametrize(
    ("header", "error_class", "name"),
    [
        ("order_id,mail,total", "MISSING_COLUMN", "email, amount"),
        ("order_id,email,amount,email", "DUPLICATE_COLUMN", "email"),
    ],
)
def test_a_header_without_the_columns_fails_the_file(tmp_path, header, error_class, name):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", header + "\n1,2,3,4\n")
    [failure] = ingestion.run().failures
    assert failure.error_class == error_class
    assert name in failure.message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_line_end_and_a_byte_order_mark_are_understood(tmp_path, end, mark):
    ingestion = Ingestion(tmp_path)
    lines = ["order_id,email,amount", "1,a,1", "x,b,2", '3,"c ""q"", d",3']
    ingestion.put("a.csv", mark + end.join(lines) + end)
    ingestion.run()
    assert ingestion.rows() == [(1, "a", Decimal("1.00")), (3, 'c "q", d', Decimal("3.00"))]
    assert [(row.row_number, row.raw) for row in ingestion.rejected()] == [(3, "x,b,2")]


def test_mixed_line_ends_load_exactly(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "1,a,1\r\nx,b,2\n3,c,3\r\n")
    run = ingestion.run()
    assert ingestion.rows() == [(1, "a", Decimal("1.00")), (3, "c", Decimal("3.00"))]
    assert run.causes == [("a.csv", "CAST", "order_id", 1)]
    assert ingestion.rejected()[0].row_number == 3


def test_cells_may_hold_line_ends_and_rows_are_counted_as_a_spreadsheet_does(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + '1,"two\nlines",1\n\nx,b,2\n')
    ingestion.run()
    assert ingestion.rows() == [(1, "two\nlines", Decimal("1.00"))]
    assert ingestion.rejected()[0].row_number == 4


def test_the_raw_text_of_a_long_bad_row_is_whole(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + f"x,{'y' * 50_000},1\n")
    ingestion.run()
    assert len(ingestion.rejected()[0].raw) == 50_004


@pytest.mark.parametrize(
    ("content", "error_class"),
    [
        (b"", "EMPTY_FILE"),
        (b"  \n\r\n", "EMPTY_FILE"),
        (b"\xef\xbb\xbf\n", "EMPTY_FILE"),
        ((HEADER + "1,caf\xe9,2\n").encode("latin1"), "ENCODING"),
        ((HEADER + "1,a,2\n").encode("utf-16"), "ENCODING"),
        ((HEADER + "1,a,2\n").encode("utf-16-le"), "ENCODING"),
        (HEADER.encode() + b"1,\xc3", "ENCODING"),
    ],
)
def test_files_that_are_no_text_fail_whole(tmp_path, content, error_class):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", content)
    ingestion.put("good.csv", HEADER + "1,a,1\n")
    run = ingestion.run()
    assert [failure.error_class for failure in run.failures] == [error_class]
    assert run.failures[0].facts is not None
    assert len(run.failures[0].facts.content_hash) == 32
    assert list(run.succeeded) == ["good.csv"]


def test_a_header_alone_is_a_success_of_no_rows(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER.rstrip())
    assert list(ingestion.run().succeeded) == ["a.csv"]
    assert ingestion.rows() == []


def test_nul_bytes_and_empty_cells_are_kept_apart(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "1,a\0b,1\n2,,\n")
    ingestion.run()
    assert ingestion.rows() == [(1, "a\0b", Decimal("1.00")), (2, None, None)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(tmp_path, delimiter):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", 'order_id,email,amount\n1,"a,b;c|d",2\n'.replace(",", delimiter))
    assert not ingestion.run().failures
    assert ingestion.query("SELECT count(*) FROM orders WHERE order_id = 1") == [(1,)]


def test_columns_are_inferred_from_the_first_file_and_hold_for_later_ones(tmp_path: Path):
    ingestion = Ingestion(tmp_path, columns=None)
    ingestion.put("a.csv", "id;name;day\n1;a;2024-01-01\n2;b;2024-01-02\n")
    assert not ingestion.run().failures
    ingestion.put("b.csv", "name,id,day\nc,3,2024-01-03\nd,x,2024-01-04\n")
    assert ingestion.run().causes == [("b.csv", "CAST", "id", 1)]
    assert ingestion.query("SELECT typeof(id), typeof(day), id FROM orders ORDER BY id") == [
        ("BIGINT", "DATE", 1),
        ("BIGINT", "DATE", 2),
        ("BIGINT", "DATE", 3),
    ]


def test_a_header_alone_infers_no_table(tmp_path: Path):
    ingestion = Ingestion(tmp_path, columns=None)
    ingestion.put("a.csv", "id,name\n")
    assert list(ingestion.run().succeeded) == ["a.csv"]
    ingestion.put("b.csv", "id,name\n1,a\n")
    assert not ingestion.run().failures
    assert ingestion.query("SELECT typeof(id) FROM orders") == [("BIGINT",)]


@pytest.mark.requirement("X4")
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**40), 2**40),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_text_in_a_cell_arrives_as_it_was(tmp_path_factory, rows):
    ingestion = Ingestion(tmp_path_factory.mktemp("any"), columns={"n": "BIGINT", "t": "VARCHAR"})
    lines = ['"{}","{}"\n'.format(n, t.replace('"', '""')) for n, t in rows]
    ingestion.put("a.csv", "n,t\n" + "".join(lines))
    assert not ingestion.run().failures
    assert sorted(ingestion.query("SELECT n, t FROM orders")) == sorted(rows)


def test_declared_columns_hold_their_order_in_the_table(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "1,a,1\n")
    ingestion.run()
    names = [name for name, *_ in ingestion.query("DESCRIBE orders")]
    assert names == [*ORDERS, "_file_id"]


@pytest.mark.parametrize("beyond", ["", ",", ",,", ',"",'])
def test_empty_cells_beyond_the_header_are_none(tmp_path: Path, beyond: str):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", f"{HEADER}1,a,1{beyond}\n,,{beyond}\n")
    assert not ingestion.run().failures
    assert ingestion.rows() == [(1, "a", Decimal("1.00")), (None, None, None)]
