"""Names in filters that nothing has: a misspelt pipeline, source, group or run is a mistake, and not 'no failures'.

What is stored of a pipeline or source that is no longer configured can be asked for as long as it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.problems import Mistake, UnknownName
from daemon.errors import NotFound
from daemon.pipelines.catalog import Catalog
from daemon.store.database import Database
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter
from daemon.store.name_hints import hint
from daemon.store.report_conditions import Dimension
from daemon.store.report_values import values
from daemon.store.runs import Runs


def require_known(wanted: object, catalog: Catalog, database: Database) -> None:
    """Looks at the names among the filters `wanted`. Raises `UnknownName`, or `NotFound` for a group or run."""
    pipeline, source = _given(wanted, "pipeline"), _given(wanted, "source")
    configured = {name: list(found.sources) for name, found in catalog.pipelines.items()}
    mistakes = []
    if pipeline is not None and pipeline not in configured:
        known = _stored(database, Dimension.PIPELINE, None, configured)
        mistakes += _unknown("pipeline", pipeline, known)
    chosen = [configured.get(pipeline, [])] if pipeline is not None else configured.values()
    if source is not None and not mistakes and not any(source in names for names in chosen):
        known = _stored(database, Dimension.SOURCE, pipeline, configured)
        mistakes += _unknown("source", source, known)
    if mistakes:
        raise UnknownName(mistakes)
    _require_stored(_given(wanted, "failure_group"), _given(wanted, "run_id"), database)


def _given(wanted: object, name: str) -> str | None:
    return getattr(wanted, name, None)


def _stored(
    database: Database,
    dimension: Dimension,
    pipeline: str | None,
    configured: dict[str, list[str]],
) -> list[str]:
    pipelines = None if pipeline is None else (pipeline,)
    with database.read() as reader:
        found = values(reader, dimension, pipelines=pipelines, configured=configured)
    return [value.value for value in found]


def _unknown(kind: str, name: str, names: Sequence[str]) -> list[Mistake]:
    meant = hint(name, names)
    if meant is None:
        return []
    return [Mistake(f"one that there is; there is no {kind} {name!r}; {meant}", kind)]


def _require_stored(group: str | None, run_id: str | None, database: Database) -> None:
    if group and not Failures(database.read()).total(FailureFilter(failure_group=group)):
        raise NotFound("there is no failure group of that id")
    if run_id:
        Runs(database).get(run_id)
