"""Which values the dimensions of reports have: what a dashboard's variables offer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from daemon.store.filters import Where, as_shown
from daemon.store.reading import Reader
from daemon.store.report_conditions import Dimension
from daemon.store.sql import SQL, query
from daemon.taxonomy import Category, FailureStatus, Group

MOST_VALUES = 1_000
"""So many are offered; of failure groups those with the newest failures."""


class ShownValue(NamedTuple):
    """A value, and how it is shown."""

    text: str
    value: str


def values(
    reader: Reader,
    dimension: Dimension,
    *,
    pipelines: tuple[str, ...] | None = None,
    configured: Mapping[str, list[str]],
) -> list[ShownValue]:
    """The values of a dimension, at most `MOST_VALUES`: stored or `configured`, or all of a closed one.

    `configured` has the sources of each pipeline of the configuration. With `pipelines` only theirs.
    """
    if dimension in _CLOSED:
        return _CLOSED[dimension]
    if dimension is Dimension.FAILURE_GROUP:
        return _failure_groups(reader, pipelines)
    return _plain(sorted(set(_names(reader, dimension, pipelines, configured)))[:MOST_VALUES])


def _plain(names: Iterable[str]) -> list[ShownValue]:
    return [ShownValue(str(name), str(name)) for name in names]


_CLOSED = {
    Dimension.CATEGORY: _plain(Category),
    Dimension.ERROR_GROUP: _plain(Group),
    Dimension.STATUS: _plain(FailureStatus),
    Dimension.RETRYABLE: [ShownValue("may help", "true"), ShownValue("cannot help", "false")],
}


def _names(
    reader: Reader,
    dimension: Dimension,
    pipelines: tuple[str, ...] | None,
    configured: Mapping[str, list[str]],
) -> Iterator[str]:
    for pipeline, name in reader.rows(SQL[f"values_of_{dimension}"]):
        if pipelines is None or pipeline in pipelines:
            yield name
    for pipeline, sources in configured.items():
        if pipelines is None or pipeline in pipelines:
            yield from [pipeline] if dimension is Dimension.PIPELINE else []
            yield from sources if dimension is Dimension.SOURCE else []


def _failure_groups(reader: Reader, pipelines: tuple[str, ...] | None) -> list[ShownValue]:
    tally = as_shown(Where(SQL["group_tally"], []))
    rows = reader.rows(
        query("values_of_group", counted=tally.sql),
        [*tally.parameters, *([None if pipelines is None else list(pipelines)] * 2), MOST_VALUES],
    )
    return [ShownValue(message or group, group) for message, group in rows]
