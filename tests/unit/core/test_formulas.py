"""A spreadsheet runs nothing of what is written, and restoring gives back what there was."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.formulas import defuse, restore
from daemon.store.csv_stream import text_cell

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

cells = st.text() | st.text(
    st.sampled_from("'=+-@\t\r\n\uff1d\uff0b\uff0d\uff20\uff21\U0001f600ab1A"), max_size=8
)


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@given(cells)
@example("")
@example("'")
@example("'=1+1")
@example("=1+1")
def test_restoring_undoes_defusing_whatever_the_cell(cell: str) -> None:
    assert restore(defuse(cell)) == cell


@given(cells)
def test_what_is_defused_starts_no_formula(cell: str) -> None:
    assert not defuse(cell).startswith(STARTS)
    assert defuse(cell) in (cell, f"'{cell}")


@given(st.lists(cells.filter(lambda cell: "\0" not in cell), max_size=8))
def test_sql_defuses_as_python_does(database: duckdb.DuckDBPyConnection, found: list[str]) -> None:
    asked = f"SELECT {text_cell('cell')} FROM (SELECT unnest($1::VARCHAR[]) AS cell)"
    assert [cell for (cell,) in database.execute(asked, [found]).fetchall()] == [
        defuse(cell) for cell in found
    ]


def test_a_formula_and_its_text_stay_two_cells() -> None:
    assert (defuse("=1+1"), defuse("'=1+1")) == ("'=1+1", "''=1+1")


@pytest.mark.parametrize("cell", ["\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(1)", "\n=1+1"])
def test_a_spreadsheet_takes_fullwidth_signs_for_the_usual_ones(cell: str) -> None:
    assert defuse(cell) == f"'{cell}"
    assert restore(defuse(cell)) == cell
