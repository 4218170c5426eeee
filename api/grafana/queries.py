"""Answers to the queries of a panel: each target gives time series or a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from api.grafana.asked import Asked, Place, span_of
from api.grafana.metrics import MetricName
from api.problems import BadRequest, Mistake
from api.report import series, tables
from api.report.choices import values_of
from api.report.reports import Reports
from api.schemas import grafana as schemas
from api.schemas import report as rows
from api.schemas.failures import FailureRow
from daemon.errors import QueryTooLong
from daemon.store.reading import REPORT_SECONDS
from daemon.store.report_grid import Grid
from daemon.store.report_series import RunFigures
from daemon.taxonomy import GroupState

Answer = schemas.TimeSeries | schemas.Table
_MOST_ROWS, _USUAL_ROWS = 1_000, 100


def answer(reports: Reports, request: schemas.QueryRequest) -> list[Answer]:
    """The answers to all targets, in their order. Raises `BadRequest`, `QueryTooLong`."""
    span = span_of(reports, request.range)
    begun = reports.clock.monotonic()
    found: list[Answer] = []
    for number, target in enumerate(request.targets):
        for metric in _metrics(target, number):
            if reports.clock.monotonic() - begun > REPORT_SECONDS:
                raise QueryTooLong("the queries take too long together; ask for a shorter time")
            place = Place(f"/targets/{number}/payload")
            payload = target.payload or schemas.Payload()
            asked = Asked(reports, metric, payload, place, target.ref_id, span, request)
            found += _ANSWERS[metric](asked)
    return found


def _metrics(target: schemas.Target, number: int) -> list[MetricName]:
    if not target.target:
        return []
    names = values_of(target.target) or ()
    if not names or not set(names) <= set(MetricName):
        expected = f"one of {', '.join(MetricName)}"
        raise BadRequest([Mistake(expected, pointer=f"/targets/{number}/target")])
    return [MetricName(name) for name in names]


def _failures(asked: Asked) -> list[Answer]:
    by, grid = asked.by(series.FAILURE_DIMENSIONS), asked.grid()
    answer = series.count_failures(asked.reports, asked.failures(), by, grid, asked.most_series())
    return [
        _time_series(asked, grid, one.name, [count for (count,) in one.values])
        for one in series.named(answer, by, asked.metric)
    ]


def _runs(asked: Asked) -> list[Answer]:
    return _of_runs(asked, {"": "runs"})


def _durations(asked: Asked) -> list[Answer]:
    return _of_runs(asked, {"median": "median", "p95": "p95"})


def _items(asked: Asked) -> list[Answer]:
    return _of_runs(asked, {name: name for name in ("succeeded", "failed", "skipped")})


def _of_runs(asked: Asked, figures: Mapping[str, str]) -> list[Answer]:
    """A series for each of some figures (named as the keys) of each series of runs."""
    by, grid = asked.by(series.RUN_DIMENSIONS), asked.grid()
    answer = series.count_runs(asked.reports, asked.runs(), by, grid, asked.most_series())
    found: list[Answer] = []
    for one in series.named(answer, by, asked.metric):
        points = [RunFigures(*values) for values in one.values]
        for label, figure in figures.items():
            parts = [*([one.name] if by or not label else []), *([label] if label else [])]
            values = [getattr(point, figure) for point in points]
            found.append(_time_series(asked, grid, " / ".join(parts), values))
    return found


def _time_series(
    asked: Asked, grid: Grid, name: str, values: Sequence[float | None]
) -> schemas.TimeSeries:
    times = map(schemas.milliseconds, grid.starts())
    points = [[value, time] for value, time in zip(values, times, strict=True)]
    return schemas.TimeSeries(target=name, datapoints=points, ref_id=asked.ref_id)


def _failure_table(asked: Asked) -> list[Answer]:
    found = tables.failure_rows(asked.reports, asked.failures(), _limit(asked))
    return [_table(asked, FailureRow, found.rows)]


def _group_table(asked: Asked) -> list[Answer]:
    states = values_of(asked.payload.state)
    if states is not None and not (len(states) == 1 and set(states) <= set(GroupState)):
        raise BadRequest([asked.place.blame(f"one of {', '.join(GroupState)}", "state")])
    state = GroupState(states[0]) if states else None
    found, _ = tables.group_rows(asked.reports, asked.failures(), _limit(asked), state=state)
    return [_table(asked, rows.GroupRow, found)]


def _run_table(asked: Asked) -> list[Answer]:
    found = tables.run_rows(asked.reports, asked.runs(), _limit(asked))
    return [_table(asked, rows.RunRow, found.rows)]


def _source_table(asked: Asked) -> list[Answer]:
    found = tables.source_rows(asked.reports, *asked.chosen().values())
    return [_table(asked, rows.SourceRow, found[: _limit(asked)])]


def _cycle_table(asked: Asked) -> list[Answer]:
    (pipelines,) = asked.chosen().values()
    found = tables.cycle_rows(asked.reports, asked.span, _limit(asked), pipelines=pipelines)
    return [_table(asked, rows.CycleRow, found)]


_ANSWERS: dict[MetricName, Callable[[Asked], list[Answer]]] = {
    MetricName.FAILURES: _failures,
    MetricName.RUNS: _runs,
    MetricName.RUN_DURATION: _durations,
    MetricName.ITEMS: _items,
    MetricName.FAILURE_TABLE: _failure_table,
    MetricName.GROUP_TABLE: _group_table,
    MetricName.RUN_TABLE: _run_table,
    MetricName.SOURCE_TABLE: _source_table,
    MetricName.CYCLE_TABLE: _cycle_table,
}


def _limit(asked: Asked) -> int:
    return asked.number("limit", _USUAL_ROWS, _MOST_ROWS)


_NOT_SHOWN = ("next_cursor",)
"""There are no pages here."""


def _table(
    asked: Asked, record: type[msgspec.Struct], found: Sequence[msgspec.Struct]
) -> schemas.Table:
    names = [name for name in record.__struct_fields__ if name not in _NOT_SHOWN]
    kinds = get_type_hints(record)
    return schemas.Table(
        columns=[schemas.Column(text=name, type=_kind(kinds[name])) for name in names],
        rows=[[_cell(getattr(row, name)) for name in names] for row in found],
        ref_id=asked.ref_id,
    )


def _kind(hint: Any) -> Any:
    """What cells of a type are."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    kinds = {datetime: "time", bool: "boolean", int: "number", float: "number"}
    return kinds.get(hint, "string")


def _cell(value: Any) -> schemas.Cell:
    if isinstance(value, datetime):
        return schemas.milliseconds(value)
    return str(value) if isinstance(value, str) else value
