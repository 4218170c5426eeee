"""What Grafana's JSON data source asks, and what it is answered. Keys that are not listed are accepted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api.schemas.fields import Given
from api.schemas.report import AnnotationRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = Meta(max_length=100)
Cell = str | float | bool | None
Moment = Annotated[
    str | float,
    Meta(description="ISO 8601 with its offset, or epoch milliseconds."),
]
_FILTER = Meta(
    description="Only these values: a list, `a,b`, `{a,b}` or `(a|b)`; all if empty or not given."
)


class TimeRange(msgspec.Struct, frozen=True, kw_only=True):
    """The time that a dashboard shows."""

    since: Annotated[Moment, Meta(description="Where it begins.")] = msgspec.field(name="from")
    until: Annotated[Moment, Meta(description="Where it ends.")] = msgspec.field(name="to")


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """What a query is narrowed down to, and how it is counted."""

    by: Annotated[Given, Meta(description="What makes a series: names of columns.")] = None
    interval: Annotated[
        Given, Meta(description="Length of a stretch, such as 5m; by the panel if not given.")
    ] = None
    series: Annotated[Given, Meta(description="How many series at most, 1 to 100.")] = None
    limit: Annotated[Given, Meta(description="How many rows at most, 1 to 1000.")] = None
    state: Annotated[Given, Meta(description="Only groups that stand so.")] = None
    pipeline: Annotated[Given, _FILTER] = None
    source: Annotated[Given, _FILTER] = None
    category: Annotated[Given, _FILTER] = None
    group: Annotated[Given, _FILTER] = None
    retryable: Annotated[Given, _FILTER] = None
    status: Annotated[Given, _FILTER] = None
    rule: Annotated[Given, _FILTER] = None
    step: Annotated[Given, _FILTER] = None
    failure_group: Annotated[Given, _FILTER] = None
    run_id: Annotated[Given, Meta(description="Only of this run.")] = None
    email_address: Annotated[Given, Meta(description="Only of the accounts with it.")] = None
    q: Annotated[Given, Meta(description="Only with this text.")] = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One query of a panel."""

    target: Annotated[
        str | None,
        Meta(description="A metric, or `(a|b)` of several; nothing is answered without one."),
    ] = None
    ref_id: Annotated[str | None, Meta(description="The query's letter.")] = msgspec.field(
        name="refId", default=None
    )
    payload: Annotated[Payload | None, Meta(description="What it is narrowed down to.")] = None


class AdHocFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter that applies to a whole dashboard."""

    key: Annotated[str, Meta(description="What is compared; see `/tag-keys`.", examples=["source"])]
    operator: Annotated[
        str, Meta(description="`=`, `!=`, `=~`, `!~`, `=|`, `!=|`, `<` or `>`.", examples=["="])
    ]
    value: Annotated[str | float | bool | None, Meta(description="What it is compared with.")] = (
        None
    )
    values: Annotated[
        Annotated[list[str], _MOST] | None, Meta(description="The same for `=|` and `!=|`.")
    ] = None


class QueryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The queries of a panel."""

    range: Annotated[TimeRange, Meta(description="The time that is shown.")]
    targets: Annotated[
        Annotated[list[Target], Meta(max_length=26)], Meta(description="What is asked.")
    ]
    interval_ms: Annotated[
        float | None, Meta(description="Stretches are not shorter, in milliseconds.")
    ] = msgspec.field(name="intervalMs", default=None)
    max_data_points: Annotated[
        float | None, Meta(description="Points that the panel has room for.")
    ] = msgspec.field(name="maxDataPoints", default=None)
    adhoc_filters: Annotated[
        Annotated[list[AdHocFilter], _MOST] | None,
        Meta(description="Filters of the dashboard; all must hold."),
    ] = msgspec.field(name="adhocFilters", default=None)
    filters: Annotated[
        Annotated[list[AdHocFilter], _MOST] | None,
        Meta(description="The same, by the name that newer versions use."),
    ] = None


class TimeSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Values over time."""

    target: Annotated[str, Meta(description="What it is called.", examples=["mail / connection"])]
    datapoints: Annotated[
        list[list[float | None]],
        Meta(description="Pairs of a value and a time in epoch milliseconds."),
    ]
    ref_id: Annotated[str | None, Meta(description="The query's letter.")] = msgspec.field(
        name="refId", default=None
    )


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table."""

    text: Annotated[str, Meta(description="What it is called.", examples=["error_time"])]
    type: Annotated[
        Literal["time", "string", "number", "boolean"],
        Meta(description="What its cells are; times are epoch milliseconds.", examples=["time"]),
    ]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows."""

    type: Annotated[Literal["table"], Meta(description="That it is a table.")] = "table"
    columns: Annotated[list[Column], Meta(description="Its columns.")]
    rows: Annotated[list[list[Cell]], Meta(description="Cells in the order of the columns.")]
    ref_id: Annotated[str | None, Meta(description="The query's letter.")] = msgspec.field(
        name="refId", default=None
    )


class MetricsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which metrics are offered."""

    metric: Annotated[str | None, Meta(description="The one that is chosen now.")] = None
    payload: Annotated[Payload | None, Meta(description="What is filled in now.")] = None


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A choice in the query editor."""

    label: Annotated[str, Meta(description="How it is shown.", examples=["orders"])]
    value: Annotated[str, Meta(description="What is sent.", examples=["orders"])]


class PayloadField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A field of the query editor."""

    name: Annotated[str, Meta(description="Name in the payload.", examples=["source"])]
    label: Annotated[str, Meta(description="How it is shown.", examples=["Source"])]
    type: Annotated[
        Literal["input", "select", "multi-select", "textarea"],
        Meta(description="How it is edited."),
    ]
    placeholder: Annotated[str, Meta(description="What it shows while it is empty.")] = ""
    options: Annotated[
        list[Option] | None,
        Meta(description="Its choices; asked for at `/metric-payload-options` if not there."),
    ] = None


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be queried."""

    value: Annotated[str, Meta(description="Name as a target.", examples=["failures"])]
    label: Annotated[str, Meta(description="How it is shown.", examples=["Failures over time"])]
    payloads: Annotated[list[PayloadField], Meta(description="Fields of the query editor.")]


class OptionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which choices a field has."""

    metric: Annotated[str, Meta(description="The metric that is chosen.")]
    name: Annotated[str, Meta(description="The field.", examples=["source"])]
    payload: Annotated[Payload | None, Meta(description="What is filled in now.")] = None


class VariablePayload(msgspec.Struct, frozen=True, kw_only=True):
    """Which values a variable has."""

    target: Annotated[str, Meta(description="The column whose values are wanted.")]
    pipeline: Annotated[Given, Meta(description="Only those of these pipelines.")] = None


class VariableRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A variable that is filled."""

    payload: Annotated[VariablePayload, Meta(description="What is wanted.")]


class TagKey(msgspec.Struct, frozen=True, kw_only=True):
    """What ad-hoc filters compare."""

    type: Annotated[Literal["string", "number"], Meta(description="What its values are.")]
    text: Annotated[str, Meta(description="Its name.", examples=["source"])]


class TagKeysRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of it is looked at."""


class TagValuesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Whose values are offered."""

    key: Annotated[str, Meta(description="What is compared.", examples=["source"])]


class TagValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value that an ad-hoc filter may have."""

    text: Annotated[str, Meta(description="The value.", examples=["orders"])]


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What older data sources look for."""

    target: Annotated[str | None, Meta(description="Part of the name of a metric.")] = None


class AnnotationQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A list of marks as a dashboard defines it."""

    name: Annotated[str | None, Meta(description="What the dashboard calls it.")] = None
    icon_color: Annotated[str | None, Meta(description="Its colour.")] = msgspec.field(
        name="iconColor", default=None
    )
    query: Annotated[
        str | None, Meta(description="Kinds of marks; all if empty.", examples=["run,group"])
    ] = None


class AnnotationsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which marks are shown."""

    range: Annotated[TimeRange, Meta(description="The time that is shown.")]
    annotation: Annotated[AnnotationQuery, Meta(description="What the dashboard says of them.")]


class Annotation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mark on a graph."""

    annotation: Annotated[AnnotationQuery, Meta(description="The list that it is of.")]
    time: Annotated[int, Meta(description="When it was, or began, in epoch milliseconds.")]
    time_end: Annotated[int | None, Meta(description="When it ended; not there for a moment.")] = (
        msgspec.field(name="timeEnd", default=None)
    )
    is_region: Annotated[bool, Meta(description="Whether it has an end.")] = msgspec.field(
        name="isRegion", default=False
    )
    title: Annotated[str, Meta(description="What it is.")]
    text: Annotated[str, Meta(description="What happened and what to do, masked.")]
    tags: Annotated[list[str], Meta(description="Kind, outcome, pipeline and so on.")]

    @classmethod
    def of(cls, mark: AnnotationRow, annotation: AnnotationQuery) -> Annotation:
        """The mark, for the list that asked for it."""
        return cls(
            annotation=annotation,
            time=milliseconds(mark.time),
            time_end=milliseconds(mark.time_end) if mark.time_end else None,
            is_region=mark.time_end is not None,
            title=mark.title,
            text=mark.text,
            tags=mark.tags,
        )


def milliseconds(time: datetime) -> int:
    """A time as Grafana's JSON has it: since 1970."""
    return (time - _EPOCH) // timedelta(milliseconds=1)


class Working(msgspec.Struct, frozen=True, kw_only=True):
    """That the data source works."""

    status: Annotated[Literal["ok"], Meta(description="Always `ok`.")] = "ok"
    version: Annotated[str, Meta(description="Version of triaged.", examples=["0.1.0"])]
