"""How things look: nothing from outside moves the cursor, and spreadsheets run nothing."""

from __future__ import annotations

import csv
import io
import time
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from daemon.cli import terminal
from daemon.formulas import restore


@given(st.text())
def test_shown_text_is_one_line_without_control_characters(text):
    shown = terminal.printable(text)
    assert all(character.isprintable() for character in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("one\ntwo\tthree", "one two three"),
        ("\u202efdp.exe", "\\u202efdp.exe"),
        ("[bold]not markup[/]", "[bold]not markup[/]"),
        ("ünïcode ✓ 漢字", "ünïcode ✓ 漢字"),
    ],
)
def test_control_characters_are_spelled_out_and_markup_is_text(text, shown):
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    console.print(terminal.cell(text))
    assert console.file.getvalue() == f"{shown}\n"


class Row(msgspec.Struct):
    text: str | None
    number: int
    nested: list[int]
    good: bool


@given(st.text().filter(lambda text: "\r" not in text and "\0" not in text))
def test_a_cell_that_a_spreadsheet_would_run_is_defused(text):
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out)
        terminal.write_csv([Row(text, -1, [1, 2], True)], Row)
    header, row = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert header == ["text", "number", "nested", "good"]
    assert restore(row[0]) == text
    assert not row[0].startswith(("=", "+", "-", "@", "\t"))
    assert row[1:] == ["-1", "[1,2]", "true"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.4, "0.40 s"), (12.3, "12 s"), (61, "1 min 01 s"), (7260, "2 h 01 min")],
)
def test_durations_are_shown_in_the_unit_that_suits_them(value, text):
    assert terminal.seconds(value) == text


def test_times_are_local_with_their_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert terminal.local(datetime(2026, 7, 1, 8, tzinfo=UTC)) == "2026-07-01 10:00:00 CEST"
    finally:
        monkeypatch.undo()
        time.tzset()


def drawn(width: int) -> str:
    table = terminal.make_table("Name", "Role", "Since", right=("Role",), fixed=("Name",))
    table.add_row(terminal.cell("grafana-dashboards-production"), "read", terminal.cell(""))
    table.add_row(terminal.cell("ann"), "admin", terminal.cell("2026-12-01 06:24:04 UTC"))
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(table)
    return str(console.file.getvalue())


def test_a_table_breaks_no_name_and_leaves_nothing_out_however_narrow_the_terminal():
    wide = drawn(80)
    assert wide.startswith("Name ")
    assert len(wide.splitlines()) == 4
    narrow = [line.rstrip() for line in drawn(30).splitlines() if line.strip()]
    assert narrow == [
        *("grafana-dashboards-production", "  Role: read"),
        *("ann", "  Role: admin", "  Since: 2026-12-01 06:24:04", "  UTC"),
    ]
