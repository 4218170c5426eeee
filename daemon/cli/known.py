"""Names that nothing has: a misspelt pipeline, source, group or run is a mistake, and not 'no failures'."""

from __future__ import annotations

from typing import Protocol

from daemon.cli.terminal import printable
from daemon.errors import NotFound
from daemon.store.filters import FailureFilter
from daemon.store.name_hints import hint
from daemon.store.runs import RunFilter


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
    if (meant := hint(name, names)) is not None:
        where = f" of the pipeline {pipeline}" if pipeline else ""
        raise NotFound(printable(f"there is no {kind} {name!r}{where}; {meant}"))
