"""Series of reports, whoever asks for them: failures, runs and items over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from api.report.reports import Reports
from api.schemas import report as schemas
from daemon.store.filters import FailureFilter
from daemon.store.reading import Need
from daemon.store.report_conditions import RUN_COLUMNS, Dimension
from daemon.store.report_grid import Grid
from daemon.store.report_series import (
    RunFigures,
    Series,
    SeriesAnswer,
    failure_series,
    run_series,
)
from daemon.store.runs import RunFilter

FAILURE_DIMENSIONS = tuple(Dimension)
RUN_DIMENSIONS = tuple(d for d in Dimension if d in RUN_COLUMNS)
OTHER = "other"
_OUTCOMES = ("succeeded", "failed", "skipped")


class Named(NamedTuple):
    """A series with its name and, by dimension, what makes it one."""

    name: str
    labels: dict[str, str]
    values: list[tuple[Any, ...]]


def count_failures(
    reports: Reports, f: FailureFilter, by: Sequence[Dimension], grid: Grid, most: int
) -> SeriesAnswer:
    """How many failures there were in each stretch."""
    with reports.database.read(Need.REPORT) as reader:
        return failure_series(reader, f, by, grid, most)


def count_runs(
    reports: Reports, f: RunFilter, by: Sequence[Dimension], grid: Grid, most: int
) -> SeriesAnswer:
    """What the runs of each stretch came to, as `RunFigures`."""
    with reports.database.read(Need.REPORT) as reader:
        return run_series(reader, f, by, grid, most)


def named(answer: SeriesAnswer, by: Sequence[Dimension], whole: str) -> list[Named]:
    """Series with their names; `whole` is that of the one series where nothing is told apart."""
    return [_named(series, by, whole) for series in answer.series]


def _named(series: Series, by: Sequence[Dimension], whole: str) -> Named:
    if series.key is None:
        return Named(OTHER, {dimension.value: OTHER for dimension in by}, series.values)
    labels = {d.value: value for d, value in zip(by, series.key, strict=True)}
    return Named(" / ".join(series.key) or whole, labels, series.values)


def failure_points(answer: SeriesAnswer, by: Sequence[Dimension]) -> Iterator[schemas.FailurePoint]:
    """Points of all series, one after the other."""
    return (
        schemas.FailurePoint(time=time, series=series.name, count=count, **_columns(series))
        for series, time, (count,) in _points(answer, by, "failures")
    )


def run_points(answer: SeriesAnswer, by: Sequence[Dimension]) -> Iterator[schemas.RunPoint]:
    """The same of runs."""
    return (
        schemas.RunPoint(
            time=time,
            series=series.name,
            **dict(zip(schemas.RUN_FIGURES, figures, strict=True)),
            **_columns(series),
        )
        for series, time, figures in _points(answer, by, "runs")
    )


def item_points(answer: SeriesAnswer, by: Sequence[Dimension]) -> Iterator[schemas.ItemPoint]:
    """The same of items, each outcome as a series of its own."""
    return (
        schemas.ItemPoint(
            time=time,
            series=item_series(series.name, outcome, by),
            outcome=outcome,
            count=getattr(RunFigures(*figures), outcome),
            **_columns(series),
        )
        for outcome in _OUTCOMES
        for series, time, figures in _points(answer, by, "items")
    )


def _columns(series: Named) -> dict[str, Any]:
    return dict(series.labels)


def item_series(name: str, outcome: str, by: Sequence[Dimension]) -> str:
    """What a series of items is called."""
    return f"{name} / {outcome}" if by else outcome


def _points(
    answer: SeriesAnswer, by: Sequence[Dimension], whole: str
) -> Iterator[tuple[Named, datetime, tuple[Any, ...]]]:
    starts = answer.grid.starts()
    for series in named(answer, by, whole):
        for time, values in zip(starts, series.values, strict=True):
            yield series, time, values
