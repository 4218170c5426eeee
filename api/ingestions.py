"""Ingestions: how they stand."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import PathParameter

from api.routes import reads
from api.runs import describe
from api.schemas.ingestions import Ingestion, IngestionList
from daemon.errors import NotFound
from daemon.pipelines.ingest.config import PIPELINE, IngestSource
from daemon.pipelines.ingest.places import ingestions
from daemon.service import Daemon
from daemon.store.ledgers.files.reading import NO_FILES

IngestionName = Annotated[str, PathParameter(description="Name of the ingestion.")]


@reads("/api/ingestions", summary="All ingestions")
def list_ingestions(daemon: NamedDependency[Daemon]) -> IngestionList:
    """All ingestions with their failed files at a glance and their newest run."""
    badges = daemon.files.badges()
    runs = daemon.runs.latest_by_source(PIPELINE)
    latest = {run.source: run for run in describe(daemon, list(runs.values()))}
    return IngestionList(
        ingestions=[
            Ingestion.of(name, config, badges.get(name, NO_FILES), latest.get(name))
            for name, config in sorted(ingestions(daemon.settings.config).items())
        ],
        timestamp=daemon.clock.now(),
    )


@reads("/api/ingestions/{name:str}", summary="One ingestion")
def get_ingestion(daemon: NamedDependency[Daemon], name: IngestionName) -> Ingestion:
    """What it reads, which mode applies, and how its files stand."""
    config = find(daemon, name)
    run = daemon.runs.latest(PIPELINE, name)
    last_run = describe(daemon, [run])[0] if run else None
    return Ingestion.of(name, config, daemon.files.badge(name), last_run)


def find(daemon: Daemon, name: str) -> IngestSource:
    """The ingestion of that name. Raises `NotFound`."""
    found = ingestions(daemon.settings.config).get(name)
    if found is None:
        raise NotFound("there is no ingestion of that name")
    return found
