"""How things look in a terminal: tables for people, JSON Lines and CSV for programs.

Nothing that comes from outside can move the cursor, change colours or run as a formula.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from daemon.errors import ConfigError, Problem
from daemon.formulas import defuse

_ROOMY = 10_000
_WORD = 20
"""Characters of the longest words that a table breaks over lines."""
WIDE = 150
"""Columns from which a table shows everything side by side."""

STYLES = {
    "success": "green",
    "partial": "yellow",
    "failed": "red",
    "interrupted": "magenta",
    "cancelled": "magenta",
    "running": "cyan",
    "open": "red",
    "retrying": "yellow",
    "resolved": "green",
    "regressed": "bold red",
    "pending": "cyan",
    "completed": "green",
    "failed_again": "red",
    "not_retried": "yellow",
    "done": "green",
    "refused": "red",
    "active": "green",
    "expired": "yellow",
}
"""Colours of statuses; what is not listed has none."""


class _Console(Console):
    """One whose reader may go away (`| head`), which is no failure."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def make_console() -> Console:
    """Standard output. Where it is no terminal, lines are long enough for `grep` to be of use."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
    return _Console(markup=False, highlight=False, emoji=False, width=width)


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty()


def printable(text: object) -> str:
    """Text on one line with every control character spelled out."""
    line = " ".join(str(text).split("\n"))
    return "".join(c if c.isprintable() else _spelled(c) for c in line)


def _spelled(character: str) -> str:
    return " " if character in "\t\r" else character.encode("unicode_escape").decode()


def cell(text: object, style: str = "") -> Text:
    """Text from outside as it may be shown."""
    return Text("" if text is None else printable(text), style=style)


def status_cell(status: str) -> Text:
    """A status in its colour."""
    return cell(status, STYLES.get(status, ""))


def stacked(*lines: Text) -> Text:
    """Several lines in one cell, empty ones left out."""
    return Text("\n").join(line for line in lines if line.plain)


def in_line(*parts: Text) -> Text:
    """Several things in one line, empty ones left out; where it is too narrow, none of them is cut."""
    return Text("  ").join(part for part in parts if part.plain)


def entry(*lines: Text) -> Group:
    """A thing on a terminal too narrow for a table: its name and, indented, what is said of it.

    It fits any width: lines break between words, so that an id stays whole.
    """
    first, *others = (line for line in lines if line.plain)
    rest = Padding(stacked(*others), (0, 0, 1, 2), expand=False)
    return Group(first, rest)


def shortened(text: str, most: int = 240) -> str:
    """The beginning of a long text."""
    return text if len(text) <= most else f"{text[:most]}…"


def number(value: int) -> str:
    """A number with its thousands apart."""
    return f"{value:,}"


def counted(count: int, thing: str) -> str:
    """How many there are of something."""
    return f"{number(count)} {thing if count == 1 else f'{thing}s'}"


def summary(thing: str, shown: int, total: int, things: str | None = None) -> str:
    """What stands below a table. `things` are several, where that is more than an s."""
    things = things or f"{thing}s"
    if not total:
        return f"No {things} match."
    if shown < total:
        return f"{number(shown)} of {number(total)} {things}; --limit shows more."
    return f"{number(total)} {thing if total == 1 else things}."


def local(moment: datetime) -> str:
    """A time as people here read it, with its zone."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def clock(moment: datetime) -> str:
    """The local time of day, where a date and the zone stand near by."""
    return f"{moment.astimezone():%H:%M:%S}"


def seconds(value: float | None) -> str:
    """A duration in the unit that suits it."""
    if value is None:
        return ""
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def interval(value: float) -> str:
    """A stretch of time as it may be configured: 5 s, 1 min, 1 h 30 min."""
    return f"{value:g} s" if value < 60 else seconds(value).removesuffix(" 00 s")


class FittingTable(Table):
    """A table that, on a terminal too narrow for it, gives each row some lines of its own.

    Otherwise names would be broken, and whole columns left out.
    """

    def __init__(self, **look: Any) -> None:
        super().__init__(**look)
        self._cells: list[tuple[Text, ...]] = []

    def add_row(self, *cells: RenderableType | None, **look: Any) -> None:
        self._cells.append(tuple(c if isinstance(c, Text) else cell(c) for c in cells))
        super().add_row(*cells, **look)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._needed(console, options) <= options.max_width:
            yield from super().__rich_console__(console, options)
        else:
            yield from map(self._in_lines, self._cells)

    def _needed(self, console: Console, options: ConsoleOptions) -> int:
        """The width in which no cell that is fixed is cut, and no word of usual length broken."""
        roomy = options.update_width(_ROOMY)
        measured = [(c.no_wrap, self._measure_column(console, roomy, c)) for c in self.columns]
        needed = (
            whole.maximum if fixed else min(whole.minimum, _WORD) for fixed, whole in measured
        )
        return sum(needed) + self._extra_width

    def _in_lines(self, cells: tuple[Text, ...]) -> Group:
        first, *others = zip(self.columns, cells, strict=False)
        return entry(first[1], *(_labelled(str(of.header), text) for of, text in others))


def _labelled(header: str, text: Text) -> Text:
    return Text(f"{header}: ".removeprefix(": "), style="dim") + text if text.plain else text


def make_table(*columns: str, right: Sequence[str] = (), fixed: Sequence[str] = ()) -> Table:
    """A table that fills the width it has; `right` are aligned so, `fixed` are never wrapped."""
    table = FittingTable(
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", show_edge=False
    )
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=name in fixed or name in right,
            overflow="fold",
        )
    return table


def confirmed(question: str) -> bool:
    """Whether the person on the terminal agrees. Raises `ConfigError` where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        expected = "there is no terminal to ask on: add --yes to do it all the same"
        raise ConfigError([Problem("", expected)])
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def write_json(records: Iterable[Any]) -> int:
    """One JSON line each; returns how many."""
    count = 0
    for record in records:
        write_line(msgspec.json.encode(record))
        count += 1
    return count


def write_line(line: bytes) -> None:
    """Writes a line as it is, at once, so that a reader further down a pipe need not wait."""
    out = sys.stdout.buffer
    out.write(line + b"\n")
    out.flush()


def write_csv(records: Iterable[msgspec.Struct], kind: type[msgspec.Struct]) -> None:
    """A header and one row each; nested values as JSON, formulas defused by an apostrophe."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(kind.__struct_fields__)
    for record in records:
        writer.writerow([_csv_value(getattr(record, name)) for name in kind.__struct_fields__])


def _csv_value(value: Any) -> Any:
    plain = msgspec.to_builtins(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, dict | list):
        return msgspec.json.encode(plain).decode()
    return defuse(plain) if isinstance(plain, str) else plain
