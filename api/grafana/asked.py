"""One metric that a panel asks for: what its payload and the dashboard's filters come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from api.grafana.adhoc import conditions
from api.grafana.metrics import MetricName, filter_names, has_run_statuses, vocabularies
from api.problems import BadRequest, Mistake
from api.query import Time, bounded, from_milliseconds
from api.report.choices import text_of, values_of
from api.report.filters import dimensions, failure_filter, run_filter
from api.report.reports import Reports
from api.report.span import (
    INTERVAL_WORDS,
    MOST_SERIES,
    MOST_STRETCHES,
    USUAL_SERIES,
    USUAL_STRETCHES,
    Shape,
    Span,
    grid_of,
    interval_of,
)
from api.schemas import grafana as schemas
from api.schemas.fields import Given
from daemon.store.filters import FailureFilter
from daemon.store.report_conditions import Comparison, Condition, Dimension, Key, Measure
from daemon.store.report_grid import Grid
from daemon.store.runs import RunFilter

_SHORTEST = timedelta(seconds=1)


def span_of(reports: Reports, given: schemas.TimeRange) -> Span:
    """The time that a dashboard shows. Raises `BadRequest`."""
    since, until = _moment(given.since, "from"), _moment(given.until, "to")
    return Span.over(since, until, reports.clock.now(), Place("/range").blame)


def _moment(given: str | float, name: str) -> datetime:
    if isinstance(given, str) and given.isdecimal() and len(given) <= 16:
        given = int(given)
    if not isinstance(given, str):
        return from_milliseconds(given)
    try:
        return bounded(msgspec.convert(given, Time))
    except msgspec.ValidationError:
        expected = "a time: ISO 8601 with its offset, or milliseconds since 1970"
        raise BadRequest([Mistake(expected, pointer=f"/range/{name}")]) from None


def _single(given: Given) -> str:
    """The one value of a field, or nothing; of several none is meant."""
    return "(several)" if isinstance(given, list) else "" if given is None else text_of(given)


class Place(NamedTuple):
    """Where in the body something stands."""

    pointer: str

    def blame(self, expected: str, name: str) -> Mistake:
        """A mistake there."""
        return Mistake(expected, pointer=f"{self.pointer}/{name}")


class Asked(NamedTuple):
    """One metric of one target."""

    reports: Reports
    metric: MetricName
    payload: schemas.Payload
    place: Place
    ref_id: str | None
    span: Span
    request: schemas.QueryRequest

    def given(self) -> Mapping[str, Given]:
        """The filters in the payload. Raises `BadRequest` for one that the metric has not."""
        names = {*filter_names(self.metric).values(), "email_address", "run_id", "q"}
        return {name: getattr(self.payload, name) for name in names}

    def adhoc(self) -> tuple[Condition, ...]:
        """The dashboard's own filters."""
        allowed: set[Key] = {*filter_names(self.metric)}
        if not has_run_statuses(self.metric):
            allowed |= set(Measure)
        known = vocabularies(self.metric)
        lists = {"adhocFilters": self.request.adhoc_filters, "filters": self.request.filters}
        return tuple(
            condition
            for name, filters in lists.items()
            for condition in conditions(filters or [], name, allowed, known)
        )

    def failures(self) -> FailureFilter:
        return failure_filter(
            self.given(), *self.span, self.reports.catalog, self.place.blame, self.adhoc()
        )

    def runs(self) -> RunFilter:
        return run_filter(self.given(), *self.span, self.place.blame, self.adhoc())

    def number(self, name: str, usual: int, most: int) -> int:
        """A whole number of the payload."""
        text = _single(getattr(self.payload, name))
        if not text:
            return usual
        if not (text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most):
            raise BadRequest([self.place.blame(f"a whole number from 1 to {most}", name)])
        return int(text)

    def grid(self) -> Grid:
        """The stretches that the payload asks for, or that the panel has room for."""
        return grid_of(self.span, self._shape(), self.place.blame)

    def _shape(self) -> Shape:
        interval = None
        if text := _single(self.payload.interval):
            interval = interval_of(text)
            if interval is None:
                raise BadRequest([self.place.blame(INTERVAL_WORDS, "interval")])
        room = self.request.max_data_points or USUAL_STRETCHES
        shortest = timedelta(milliseconds=min(max(self.request.interval_ms or 0, 0), 1e12))
        return Shape(
            interval,
            int(min(max(room, 1), MOST_STRETCHES)),
            self.most_series(),
            max(shortest, _SHORTEST),
        )

    def most_series(self) -> int:
        return self.number("series", USUAL_SERIES, MOST_SERIES)

    def by(self, allowed: Sequence[Dimension]) -> list[Dimension]:
        return dimensions(self.payload.by, allowed, self.place.blame)

    def chosen(self) -> dict[Dimension, tuple[str, ...] | None]:
        """Values of dimensions where nothing but values can be chosen."""
        names = filter_names(self.metric)
        found = {d: values_of(getattr(self.payload, name)) for d, name in names.items()}
        for condition in self.adhoc():
            if condition.comparison is not Comparison.IN:
                expected = f"only the operators = and =| for {self.metric}"
                raise BadRequest([Mistake(expected, pointer="/adhocFilters")])
            dimension = Dimension(condition.key)
            before = found[dimension]
            found[dimension] = tuple(
                value for value in condition.values if before is None or value in before
            )
        return found
