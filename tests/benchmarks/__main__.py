"""`python -m tests.benchmarks`: measures, shows a table, and fails only when something cannot run."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.status import Status
from rich.table import Table

from tests.benchmarks.figures import Bench, Figure, shown
from tests.benchmarks.machine import facts

NAMES = (
    *(
        "accuracy",
        "classify",
        "cold_start",
        "worst_case",
        "record",
        "progress",
        "runners",
        "queries",
        "export",
    ),
    *("scrape", "memory", "ingest", "mail", "fanout", "alerting", "rules", "report"),
)
FOLDER = Path(__file__).parents[2] / ".bench"

Say = Callable[[str], None]


def main() -> int:
    """Runs the benchmarks and returns 1 when one could not run."""
    args = _arguments()
    console = Console()
    FOLDER.mkdir(exist_ok=True)
    figures: list[Figure] = []
    failed = False
    for name in args.only or NAMES:
        try:
            figures += _measure(name, args, console)
        except Exception:  # noqa: BLE001 - the other benchmarks run all the same
            traceback.print_exc()
            failed = True
    console.print(_table(figures))
    console.print(" · ".join(f"{name} {value}" for name, value in facts().items()))
    if args.json:
        result = {"machine": facts(), "figures": figures}
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
    return int(failed)


def _measure(name: str, args: argparse.Namespace, console: Console) -> list[Figure]:
    found: list[Figure] = []
    with console.status(name) as status:
        bench = Bench(FOLDER, args.quick, args.full, _reporter(name, status, console))
        module: Any = import_module(f"tests.benchmarks.{name}")
        figures: Iterator[Figure] = module.measure(bench)
        for figure in figures:
            found.append(figure)
            console.print(f"{figure.name}: {shown(figure.value)} {figure.unit}  {figure.beside}")
    return found


def _reporter(name: str, status: Status, console: Console) -> Say:
    """Shows progress on a terminal only."""

    def say(text: str) -> None:
        if console.is_terminal:
            status.update(f"{name}: {text}")

    return say


def _table(figures: list[Figure]) -> Table:
    table = Table("what", "measured", "beside", "ratio", "reach", "", title="triaged, measured")
    for f in figures:
        ratio = "" if f.ratio is None else shown(f.ratio)
        verdict = "" if f.ok is None else "[green]ok" if f.ok else "[red]miss"
        table.add_row(f.name, f"{shown(f.value)} {f.unit}", f.beside, ratio, f.reach, verdict)
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="only this one (repeatable)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    parser.add_argument("--full", action="store_true", help="also a store of ten million failures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
