"""The pipelines and sources of the configuration, ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from daemon.config.schema import AnyPipeline
from daemon.errors import NotFound
from daemon.pipelines.contract import Pipeline
from daemon.pipelines.versions import unversioned


class Source(msgspec.Struct, frozen=True):
    """One thing that a pipeline works on."""

    name: str
    enabled: bool
    options: Mapping[str, Any]
    email_address: str | None = None
    version: Callable[[], str] = unversioned
    """Stands for its configuration and credentials as they are now: others have another version.

    Asked for at each run, and at each due cycle while the source is held; never raises.
    """


class Registered(msgspec.Struct, frozen=True):
    """A pipeline with its schedule and sources."""

    name: str
    function: Pipeline
    config: AnyPipeline
    sources: dict[str, Source]

    @property
    def interval_seconds(self) -> float | None:
        """Seconds between cycles, when they come at an interval."""
        return self.config.interval


class Catalog:
    """All pipelines by name."""

    def __init__(self, pipelines: Mapping[str, Registered]) -> None:
        self.pipelines = dict(pipelines)

    def pipeline(self, name: str) -> Registered:
        """The pipeline of that name. Raises `NotFound`."""
        if name not in self.pipelines:
            raise NotFound("there is no pipeline of that name")
        return self.pipelines[name]

    def source(self, pipeline: str, name: str) -> Source:
        """The source of that name. Raises `NotFound`."""
        sources = self.pipeline(pipeline).sources
        if name not in sources:
            raise NotFound(f"the pipeline {pipeline} has no source of that name")
        return sources[name]

    def email_address(self, pipeline: str, source: str) -> str | None:
        """The address of the account behind a source, from the account's own record."""
        registered = self.pipelines.get(pipeline)
        found = registered.sources.get(source) if registered else None
        return found.email_address if found else None

    def accounts(self, email_address: str) -> tuple[tuple[str, str], ...]:
        """Pipeline and source of all accounts with that address, in any case."""
        wanted = email_address.casefold()
        return tuple(
            (pipeline.name, source.name)
            for pipeline in self.pipelines.values()
            for source in pipeline.sources.values()
            if source.email_address and source.email_address.casefold() == wanted
        )
