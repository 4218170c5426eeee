"""The pipelines and sources, ready to run: those of the configuration, and what is added while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from daemon.config import PipelineConfig
from daemon.errors import NotFound
from daemon.pipelines.contract import Pipeline
from daemon.pipelines.retry_plan import PlanRetry, plan_by_name
from daemon.pipelines.versions import unversioned

LookUp = Callable[[str, frozenset[str] | None], bytes]
"""What was done before of a source, or of the items wanted of it, packed for the pipeline's function."""


def nothing_known(_source: str, _wanted: frozenset[str] | None) -> bytes:
    """Of a pipeline without a ledger of its own nothing is known."""
    return b""


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
    server: str | None = None
    """What it shares with others that have the same, and that may refuse too many runs at a time."""


class Registered(msgspec.Struct, frozen=True):
    """A pipeline with its schedule and sources."""

    name: str
    function: Pipeline
    config: PipelineConfig
    sources: dict[str, Source]
    plan_retry: PlanRetry = plan_by_name
    """What a retry by hand means for it."""
    look_up: LookUp = nothing_known
    """Asked before each run, so that no run has to ask; what it answers goes along with the order."""
    per_server: int | None = None
    """How many of its sources with the same `server` run at the same time; None for as many as there may be."""
    counts_rows: bool = False
    """Whether its items have rows that are loaded or rejected."""

    @property
    def interval_seconds(self) -> float | None:
        """Seconds between cycles, when they come at an interval."""
        return self.config.interval


Follower = Callable[[str, str, Source | None], None]
"""Told of a pipeline, the name of its source, and what the source is now: None when it is gone."""


class Catalog:
    """All pipelines by name.

    Sources may come, change and go at any time. What was looked up stays as it was: a change replaces
    `pipelines` and alters none of its records, so every thread may go through them without a lock.
    """

    def __init__(self, pipelines: Mapping[str, Registered]) -> None:
        self.pipelines = dict(pipelines)
        self._changing = threading.RLock()
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """Tells `follower` of every change from now on, in order, in the thread that makes it."""
        self._followers.append(follower)

    def set_source(self, pipeline: str, source: Source) -> None:
        """Adds a source, or replaces the one of that name. Raises `NotFound` without the pipeline."""
        with self._changing:
            self._replace(pipeline, self.pipeline(pipeline).sources | {source.name: source})
            self._tell(pipeline, source.name, source)

    def remove_source(self, pipeline: str, name: str) -> None:
        """Forgets a source; a run of it that is under way goes on. Raises `NotFound`."""
        with self._changing:
            self.source(pipeline, name)
            left = {n: s for n, s in self.pipeline(pipeline).sources.items() if n != name}
            self._replace(pipeline, left)
            self._tell(pipeline, name, None)

    def _replace(self, pipeline: str, sources: dict[str, Source]) -> None:
        changed = msgspec.structs.replace(self.pipelines[pipeline], sources=sources)
        self.pipelines = self.pipelines | {pipeline: changed}

    def _tell(self, pipeline: str, name: str, source: Source | None) -> None:
        for follower in self._followers:
            follower(pipeline, name, source)

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

    def find(self, pipeline: str, name: str) -> Source | None:
        """The source of that name as it is now; None when there is none."""
        registered = self.pipelines.get(pipeline)
        return registered.sources.get(name) if registered else None

    def email_address(self, pipeline: str, source: str) -> str | None:
        """The address of the account behind a source, from the account's own record."""
        found = self.find(pipeline, source)
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
