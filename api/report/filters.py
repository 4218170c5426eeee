"""The parameters of reports, and the filters of the store they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.filters import CURSOR
from api.listed import Excel, Format
from api.problems import BadRequest, Mistake
from api.query import Moment, Name, Query, Text
from api.report.choices import RUN_VOCABULARIES, Blame, conditions_of, text_of, values_of
from api.report.span import (
    INTERVAL,
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
from api.schemas.fields import Given
from daemon.pipelines.catalog import Catalog
from daemon.store.filters import FailureFilter
from daemon.store.report_conditions import Condition, Dimension
from daemon.store.report_grid import Grid
from daemon.store.runs import RunFilter

Values = Annotated[str, Meta(max_length=4000)]
FAILURE_NAMES = {dimension: dimension.value for dimension in Dimension} | {
    Dimension.ERROR_GROUP: "group"
}
"""Parameters that choose values of dimensions."""
RUN_NAMES = {
    d: FAILURE_NAMES[d]
    for d in (
        *(Dimension.PIPELINE, Dimension.SOURCE, Dimension.STATUS),
        *(Dimension.CATEGORY, Dimension.ERROR_GROUP),
    )
}


def _some(what: str) -> Meta:
    return Meta(description=f"Only of these {what}: `a,b`, `{{a,b}}` or `(a|b)`; all if empty.")


def parameter(expected: str, name: str) -> Mistake:
    """A mistake in a parameter."""
    return Mistake(expected, parameter=name)


class ReportQuery(Query, frozen=True, kw_only=True):
    """When, and as what."""

    since: Annotated[
        Moment | None,
        Meta(
            description="Only from this time on: ISO 8601 with its offset, or epoch milliseconds."
        ),
    ] = msgspec.field(default=None, name="from")
    until: Annotated[Moment | None, Meta(description="Only before this time, in either form.")] = (
        msgspec.field(default=None, name="to")
    )
    format: Annotated[Format | None, Meta(description="JSON or CSV; by `Accept` if not given.")] = (
        None
    )
    excel: Excel = False

    def span(self, now: datetime) -> Span:
        """The time asked for, the last 24 hours if nothing is said. Raises `BadRequest`."""
        return Span.over(self.since, self.until, now, parameter)


class FailureReportQuery(ReportQuery, frozen=True, kw_only=True):
    """Which failures."""

    email_address: Annotated[
        Annotated[str, Meta(max_length=200)] | None,
        Meta(description="Only of the accounts with this address, in any case."),
    ] = None
    pipeline: Annotated[Values | None, _some("pipelines")] = None
    source: Annotated[Values | None, _some("sources")] = None
    category: Annotated[Values | None, _some("categories")] = None
    group: Annotated[Values | None, _some("groups of categories")] = None
    retryable: Annotated[Values | None, _some("values, `true` and `false`")] = None
    status: Annotated[Values | None, _some("statuses")] = None
    rule: Annotated[Values | None, _some("rules")] = None
    step: Annotated[Values | None, _some("steps")] = None
    failure_group: Annotated[Values | None, _some("groups of the same cause")] = None
    run_id: Annotated[Name | None, Meta(description="Only of this run.")] = None
    q: Annotated[
        Text | None,
        Meta(description="Only with this text in the message, the advice, the source or the item."),
    ] = None

    def filter(self, catalog: Catalog) -> FailureFilter:
        """The filter of the store. Raises `BadRequest`."""
        return failure_filter(
            {name: getattr(self, name) for name in FILTERS},
            self.since,
            self.until,
            catalog,
            parameter,
        )


FILTERS = (*FAILURE_NAMES.values(), "email_address", "run_id", "q")
"""What failures can be filtered by, apart from time."""


def failure_filter(
    given: Mapping[str, Given],
    since: datetime | None,
    until: datetime | None,
    catalog: Catalog,
    blame: Blame,
    more: tuple[Condition, ...] = (),
) -> FailureFilter:
    """The filter for what was given by the names of `FILTERS`. Raises `BadRequest`."""
    chosen = {d: given.get(name) for d, name in FAILURE_NAMES.items()}
    conditions, mistakes = conditions_of(chosen, FAILURE_NAMES, blame)
    texts = {name: _single(given.get(name)) for name in ("email_address", "run_id", "q")}
    mistakes += [
        blame("text of at most 200 characters", n) for n, t in texts.items() if t and len(t) > 200
    ]
    if mistakes:
        raise BadRequest(mistakes)
    address = texts["email_address"]
    return FailureFilter(
        since=since,
        until=until,
        q=texts["q"],
        run_id=texts["run_id"],
        accounts=catalog.accounts(address) if address else None,
        conditions=(*conditions, *more),
    )


def _single(given: Given) -> str | None:
    if isinstance(given, list):
        given = given[0] if given else None
    return text_of(given) if given not in (None, "") else None


class RunReportQuery(ReportQuery, frozen=True, kw_only=True):
    """Which runs, by when they began."""

    pipeline: Annotated[Values | None, _some("pipelines")] = None
    source: Annotated[Values | None, _some("sources")] = None
    status: Annotated[Values | None, _some("statuses of runs")] = None
    category: Annotated[Values | None, _some("categories")] = None
    group: Annotated[Values | None, _some("groups of categories")] = None

    def filter(self) -> RunFilter:
        """The filter of the store. Raises `BadRequest`."""
        given = {name: getattr(self, name) for name in RUN_NAMES.values()}
        return run_filter(given, self.since, self.until, parameter)


def run_filter(
    given: Mapping[str, Given],
    since: datetime | None,
    until: datetime | None,
    blame: Blame,
    more: tuple[Condition, ...] = (),
) -> RunFilter:
    """The filter for what was given by the names of `RUN_NAMES`. Raises `BadRequest`."""
    chosen = {d: given.get(name) for d, name in RUN_NAMES.items()}
    conditions, mistakes = conditions_of(chosen, RUN_NAMES, blame, RUN_VOCABULARIES)
    if mistakes:
        raise BadRequest(mistakes)
    return RunFilter(since=since, until=until, conditions=(*conditions, *more))


Limit = Annotated[int, Meta(description="How many rows at most.", ge=1, le=1000)]
Offset = Annotated[
    int, Meta(description="How many rows to leave out before these.", ge=0, le=10_000_000)
]
Cursor = Annotated[
    str,
    Meta(title=f"{CURSOR}, or nothing", pattern=r"^([0-9]{1,16}\.[0-9]{1,18})?$"),
]
CursorOfRuns = Annotated[
    str, Meta(title=f"{CURSOR}, or nothing", pattern=r"^([0-9]{8}T[0-9]{9}-[0-9a-f]{8})?$")
]
NEXT = Meta(description="The `next_cursor` of the last row before; empty for the first page.")


Interval = Annotated[
    Annotated[str, Meta(title=INTERVAL_WORDS, pattern=INTERVAL)] | None,
    Meta(description=f"Length of a stretch: {INTERVAL_WORDS}. Chosen to fit if not given."),
]
MaxDataPoints = Annotated[
    int,
    Meta(
        description="Points of a series at most, if `interval` is not given.",
        ge=1,
        le=MOST_STRETCHES,
    ),
]
MaxSeries = Annotated[
    int,
    Meta(
        description="How many series at most; all that have none of their own are `other`.",
        ge=1,
        le=MOST_SERIES,
    ),
]
By = Annotated[
    Annotated[str, Meta(max_length=200)],
    Meta(description="What makes a series: names of columns, with commas between them."),
]


class FailureSeriesQuery(FailureReportQuery, frozen=True, kw_only=True):
    """Which failures, and how to count them."""

    by: By = ""
    interval: Interval = None
    max_data_points: MaxDataPoints = USUAL_STRETCHES
    series: MaxSeries = USUAL_SERIES


class RunSeriesQuery(RunReportQuery, frozen=True, kw_only=True):
    """Which runs, and how to count them."""

    by: By = ""
    interval: Interval = None
    max_data_points: MaxDataPoints = USUAL_STRETCHES
    series: MaxSeries = USUAL_SERIES


def grid_for(wanted: FailureSeriesQuery | RunSeriesQuery, span: Span) -> Grid:
    """The stretches that were asked for. Raises `BadRequest` when there are too many."""
    interval = interval_of(wanted.interval) if wanted.interval else None
    return grid_of(span, Shape(interval, wanted.max_data_points, wanted.series), parameter)


def dimensions(given: Given, allowed: Sequence[Dimension], blame: Blame) -> list[Dimension]:
    """The dimensions that make series, in the order given. Raises `BadRequest`."""
    chosen = values_of(given) or ()
    if not set(chosen) <= set(allowed):
        raise BadRequest([blame(f"names among {', '.join(allowed)}", "by")])
    return [Dimension(name) for name in chosen]
