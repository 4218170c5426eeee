"""Names that nothing has: a misspelt pipeline, source, group or run is a mistake, and not 'no failures'."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Protocol

from daemon.cli.terminal import printable
from daemon.errors import NotFound
from daemon.store.filters import FailureFilter
from daemon.store.report_values import MOST_VALUES
from daemon.store.runs import RunFilter

_SHOWN = 20


class NameReader(Protocol):
    """Where names are looked up."""

    def pipelines(self) -> list[str]: ...

    def sources(self, pipeline: str | None) -> list[str]: ...

    def require_group(self, group: str) -> None:
        """Raises `NotFound`."""

    def require_run(self, run_id: str) -> None:
        """Raises `NotFound`."""


def require_known(reader: NameReader, wanted: FailureFilter | RunFilter) -> None:
    """To be asked where nothing matches. Raises `NotFound` for a name that nothing ever had."""
    if wanted.pipeline is not None:
        _require("pipeline", wanted.pipeline, reader.pipelines())
    if wanted.source is not None:
        _require("source", wanted.source, reader.sources(wanted.pipeline), wanted.pipeline)
    if isinstance(wanted, FailureFilter):
        if wanted.failure_group is not None:
            reader.require_group(wanted.failure_group)
        if wanted.run_id is not None:
            reader.require_run(wanted.run_id)


def _require(kind: str, name: str, names: list[str], pipeline: str | None = None) -> None:
    if name in names or len(names) >= MOST_VALUES:
        return
    where = f" of the pipeline {pipeline}" if pipeline else ""
    alike = get_close_matches(name, names, n=3)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    there_are = f"there are: {', '.join(names[:_SHOWN]) or 'none'}{more}"
    hint = f"did you mean {' or '.join(alike)}?" if alike else there_are
    raise NotFound(printable(f"there is no {kind} {name!r}{where}; {hint}"))
