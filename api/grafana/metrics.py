"""What the JSON data source offers to query, and the fields of its editor."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from api.report.choices import RUN_VOCABULARIES, VOCABULARIES
from api.report.filters import FAILURE_NAMES, RUN_NAMES
from api.report.series import FAILURE_DIMENSIONS, RUN_DIMENSIONS
from api.schemas.grafana import Metric, Option, PayloadField
from daemon.store.report_conditions import Dimension
from daemon.taxonomy import GroupState


class MetricName(StrEnum):
    """What can be queried."""

    FAILURES = "failures"
    RUNS = "runs"
    RUN_DURATION = "run_duration"
    ITEMS = "items"
    FAILURE_TABLE = "failure_table"
    GROUP_TABLE = "group_table"
    RUN_TABLE = "run_table"
    SOURCE_TABLE = "source_table"
    CYCLE_TABLE = "cycle_table"


LABELS = {
    MetricName.FAILURES: "Failures over time",
    MetricName.RUNS: "Runs over time",
    MetricName.RUN_DURATION: "Durations of runs over time: median and 95th percentile",
    MetricName.ITEMS: "Items over time by outcome",
    MetricName.FAILURE_TABLE: "Failures, newest first",
    MetricName.GROUP_TABLE: "Failure groups, most open ones first",
    MetricName.RUN_TABLE: "Runs, newest first",
    MetricName.SOURCE_TABLE: "How each source stands",
    MetricName.CYCLE_TABLE: "Cycles, newest first",
}
_OF_FAILURES = (MetricName.FAILURES, MetricName.FAILURE_TABLE, MetricName.GROUP_TABLE)
_SERIES = (MetricName.FAILURES, MetricName.RUNS, MetricName.RUN_DURATION, MetricName.ITEMS)
_FEW_NAMES = {
    MetricName.SOURCE_TABLE: (Dimension.PIPELINE, Dimension.SOURCE, Dimension.STATUS),
    MetricName.CYCLE_TABLE: (Dimension.PIPELINE,),
}


def metrics() -> list[Metric]:
    """Everything that can be queried."""
    return [
        Metric(value=name.value, label=label, payloads=_fields(name))
        for name, label in LABELS.items()
    ]


def _fields(name: MetricName) -> list[PayloadField]:
    return [*(_shape(name)), *_filters(name)]


def _shape(name: MetricName) -> list[PayloadField]:
    if name not in _SERIES:
        limit = [_input("limit", "Rows at most", "100")]
        states = _options([state.value for state in GroupState])
        state = PayloadField(name="state", label="State", type="select", options=states)
        return [*limit, state] if name is MetricName.GROUP_TABLE else limit
    by = FAILURE_DIMENSIONS if name is MetricName.FAILURES else RUN_DIMENSIONS
    return [
        PayloadField(name="by", label="By", type="multi-select", options=_options(by)),
        _input("interval", "Interval", "by the panel"),
        _input("series", "Series at most", "20"),
    ]


def filter_names(name: MetricName) -> dict[Dimension, str]:
    """What a metric can be filtered by, with the names of the fields."""
    if name in _FEW_NAMES:
        return {dimension: dimension.value for dimension in _FEW_NAMES[name]}
    return FAILURE_NAMES if name in _OF_FAILURES else RUN_NAMES


def has_run_statuses(name: MetricName) -> bool:
    """Whether `status` is that of runs, and not of failures."""
    return name not in _OF_FAILURES


def vocabularies(name: MetricName) -> dict[Dimension, type[StrEnum]]:
    """The values that are known of what a metric can be filtered by."""
    return VOCABULARIES if name in _OF_FAILURES else RUN_VOCABULARIES


def _filters(name: MetricName) -> list[PayloadField]:
    chosen = [
        PayloadField(name=field, label=field.replace("_", " ").capitalize(), type="multi-select")
        for field in filter_names(name).values()
    ]
    return [*chosen, _input("q", "Text", "in any case")] if name in _OF_FAILURES else chosen


def _input(name: str, label: str, placeholder: str) -> PayloadField:
    return PayloadField(name=name, label=label, type="input", placeholder=placeholder)


def _options(names: Sequence[str]) -> list[Option]:
    return [Option(label=str(name), value=str(name)) for name in names]
