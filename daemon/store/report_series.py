"""Counts over time, by any dimensions: bucketed in DuckDB, bounded, with zeros where nothing was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter, Where, counted, each_counted
from daemon.store.groups import Groups
from daemon.store.reading import Reader
from daemon.store.report_conditions import (
    FAILURE_COLUMNS,
    NOT_TALLIED,
    RUN_COLUMNS,
    Dimension,
    Key,
    check_patterns,
)
from daemon.store.report_grid import Grid
from daemon.store.runs import RunFilter, runs_where
from daemon.store.sql import query

Values = tuple[Any, ...]


class Series(NamedTuple):
    """What happened over time to one combination of values of the dimensions."""

    key: tuple[str, ...] | None
    """In the order of the dimensions; None for all that have no series of their own."""
    values: list[Values]
    """One for each stretch of the grid."""


class SeriesAnswer(NamedTuple):
    """Series, the largest first and what the others came to last."""

    grid: Grid
    series: list[Series]
    others: int
    """How many combinations have no series of their own."""


class RunFigures(NamedTuple):
    """What the runs of a stretch came to. Durations are in seconds, None when no run ended."""

    runs: int
    median: float | None
    p95: float | None
    longest: float | None
    succeeded: int
    failed: int
    skipped: int


_RUN_FIGURES = (
    "count(*)",
    "median(duration_seconds)",
    "quantile_cont(duration_seconds, 0.95)",
    "max(duration_seconds)",
    "coalesce(sum(succeeded), 0)::BIGINT",
    "coalesce(sum(failed), 0)::BIGINT",
    "coalesce(sum(skipped), 0)::BIGINT",
)


def failure_series(
    reader: Reader, f: FailureFilter, by: Sequence[Dimension], grid: Grid, most: int
) -> SeriesAnswer:
    """How many failures there were, in at most `most` series and one of all others.

    Stretches of whole days come from the tally, if it knows all that is asked for. Raises
    `InvalidQuery`.
    """
    f = Failures(reader).narrowed(f)
    if grid.whole_days and not NOT_TALLIED.intersection(by):
        found, time = counted(f), "day::TIMESTAMP"
    else:
        found, time = each_counted(f), "error_time"
    if Dimension.FAILURE_GROUP in by:
        found = Groups(reader).as_shown(found)
    dimensions = _named([FAILURE_COLUMNS[d] for d in by])
    cells = Where(
        query("failure_cells", dimensions=dimensions, bucket=grid.place(time), counted=found.sql),
        found.parameters,
    )
    return _gather(reader, cells, by, grid, most, ("sum(n)::BIGINT",), (0,))


def run_series(
    reader: Reader, f: RunFilter, by: Sequence[Dimension], grid: Grid, most: int
) -> SeriesAnswer:
    """What runs came to (`RunFigures`), by when they began. Raises `InvalidQuery`."""
    check_patterns(reader, f.conditions)
    sql, parameters = runs_where(f)
    dimensions = _named([RUN_COLUMNS[d] for d in by])
    runs = Where(
        query("run_cells", dimensions=dimensions, bucket=grid.place("started_at"), where=sql),
        parameters,
    )
    nothing = RunFigures(0, None, None, None, 0, 0, 0)
    return _gather(reader, runs, by, grid, most, _RUN_FIGURES, nothing)


def _named(columns: Sequence[str]) -> str:
    return "".join(f"{column} AS d{number}, " for number, column in enumerate(columns))


def _gather(
    reader: Reader,
    cells: Where,
    by: Sequence[Key],
    grid: Grid,
    most: int,
    figures: Sequence[str],
    nothing: Values,
) -> SeriesAnswer:
    """Series of a relation with the columns d0, d1, …, `bucket`, `n` and those that figures need."""
    names = [f"d{number}" for number in range(len(by))]
    listed = "".join(f"{d}, " for d in names)
    grouped = f"GROUP BY {', '.join(names)}" if names else ""
    same = " AND ".join(["true", *(f"cells.{d} = top.{d}" for d in names)])
    shown = "".join(f"CASE WHEN place < ? THEN top.{d} END, " for d in names)
    sql = query(
        "series",
        cells=cells.sql,
        listed=listed,
        grouped=grouped,
        shown=shown,
        figures=", ".join(figures),
        same=same,
    )
    rows = reader.rows(sql, [*cells.parameters, most, *([most] * len(names))])
    return _filled(rows, len(by), grid, most, nothing)


def _filled(
    rows: list[Values], dimensions: int, grid: Grid, most: int, nothing: Values
) -> SeriesAnswer:
    """The series of rows (place, combinations in all, values of the dimensions, bucket, figures)."""
    series: dict[int, Series] = {}
    for place, _, *rest in rows:
        if place not in series:
            key = None if place >= most else tuple(rest[:dimensions])
            series[place] = Series(key, [nothing] * grid.count)
        series[place].values[rest[dimensions]] = tuple(rest[dimensions + 1 :])
    if not series and not dimensions:
        series[0] = Series((), [nothing] * grid.count)
    combinations = rows[0][1] if rows else 0
    return SeriesAnswer(grid, list(series.values()), max(0, combinations - most))
