"""Ingestions: how they stand."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import PathParameter

from api.routes import reads
from api.runs import describe
from api.schemas.ingestions import Ingestion, IngestionList
from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import NotFound
from daemon.live import Live
from daemon.pipelines.catalog import Catalog
from daemon.pipelines.ingest.config import PIPELINE, IngestSource
from daemon.pipelines.ingest.places import ingestions
from daemon.standing import Standings
from daemon.store.ledgers.files.reading import NO_FILES, Files
from daemon.store.runs import Runs

IngestionName = Annotated[str, PathParameter(description="Name of the ingestion.")]


@reads("/api/ingestions", summary="All ingestions", operation_id="listIngestions")
def list_ingestions(
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    runs: NamedDependency[Runs],
    files: NamedDependency[Files],
    live: NamedDependency[Live],
    standings: NamedDependency[Standings],
) -> IngestionList:
    """All ingestions with their failed files at a glance and their newest run."""
    badges = files.badges()
    newest = list(runs.latest_by_source(PIPELINE).values())
    latest = {run.source: run for run in describe(catalog, live, newest)}
    return IngestionList(
        ingestions=[
            Ingestion.of(
                name,
                config,
                badges.get(name, NO_FILES),
                latest.get(name),
                standings.of(PIPELINE, name),
            )
            for name, config in sorted(ingestions(settings.config).items())
        ],
        timestamp=clock.now(),
    )


@reads("/api/ingestions/{name:str}", summary="One ingestion", operation_id="getIngestion")
def get_ingestion(
    settings: NamedDependency[Settings],
    catalog: NamedDependency[Catalog],
    runs: NamedDependency[Runs],
    files: NamedDependency[Files],
    live: NamedDependency[Live],
    standings: NamedDependency[Standings],
    name: IngestionName,
) -> Ingestion:
    """What it reads, which mode applies, and how its files stand."""
    config = find(settings, name)
    run = runs.latest(PIPELINE, name)
    last_run = describe(catalog, live, [run])[0] if run else None
    return Ingestion.of(name, config, files.badge(name), last_run, standings.of(PIPELINE, name))


def find(settings: Settings, name: str) -> IngestSource:
    """The ingestion of that name. Raises `NotFound`."""
    found = ingestions(settings.config).get(name)
    if found is None:
        raise NotFound("there is no ingestion of that name")
    return found
