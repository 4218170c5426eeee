"""Pipelines: how they stand, and pause, resume and run now."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from api.routes import commands, reads
from api.schemas import fields
from api.schemas.queued import Queued
from api.schemas.standing import StandingDetail
from api.schemas.waiting import WaitingSource
from daemon.clock import Clock
from daemon.errors import NotFound
from daemon.gate import Gate
from daemon.operations.pipelines import PipelineOperations
from daemon.pipelines.catalog import Catalog
from daemon.scheduler import PipelineStatus, Scheduler
from daemon.standing import Standings

NameInPath = Annotated[str, PathParameter(description="Name of the pipeline.")]


class PipelineSource(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a pipeline works on."""

    name: fields.Source
    enabled: Annotated[bool, Meta(description="Whether cycles include it.", examples=[True])]
    email_address: fields.EmailAddress
    standing: Annotated[StandingDetail, Meta(description="How it stands.")]


class PipelineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How a pipeline stands."""

    name: fields.Pipeline
    paused: Annotated[bool, Meta(description="Whether a person paused it.", examples=[False])]
    running: Annotated[bool, Meta(description="Whether a source of it runs.", examples=[True])]
    interval_seconds: Annotated[
        float | None,
        Meta(description="Seconds between two cycles; null without an interval.", examples=[60.0]),
    ]
    cron: Annotated[
        str | None,
        Meta(description="Crontab in UTC; null without one.", examples=["0 3 * * *"]),
    ]
    next_run_at: Annotated[
        datetime | None, Meta(description="When its next cycle is due; null if none is.")
    ]
    concurrency: Annotated[
        int, Meta(description="How many sources run at the same time.", examples=[4])
    ]
    sources: Annotated[list[PipelineSource], Meta(description="What it works on.")]
    waiting: Annotated[
        list[WaitingSource], Meta(description="Sources that cycles leave out for now.")
    ]
    queued: Annotated[Queued, Meta(description="Runs of it that wait for their turn.")]
    failing_sources: Annotated[
        int,
        Meta(
            description="Sources that fail: failures of them are open, whatever their latest run did.",
            examples=[1],
        ),
    ]


class PipelineList(msgspec.Struct, frozen=True, kw_only=True):
    """All pipelines."""

    pipelines: Annotated[list[PipelineInfo], Meta(description="By name.")]
    timestamp: fields.Timestamp


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to run."""

    source: Annotated[
        str | None, Meta(description="Only this source; all enabled ones if not given.")
    ] = None


class CycleStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle that begins now."""

    cycle_id: Annotated[
        str, Meta(description="Id of the cycle.", examples=["20260131T080000000-5f0c7d1e"])
    ]
    pipeline: fields.Pipeline
    source: Annotated[str | None, Meta(description="The only source that it has; null for all.")]


@reads("/api/pipelines", summary="All pipelines", operation_id="listPipelines")
def list_pipelines(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    scheduler: NamedDependency[Scheduler],
    gate: NamedDependency[Gate],
    standings: NamedDependency[Standings],
) -> PipelineList:
    """How all pipelines stand, and when they run next."""
    described = [_info(status, catalog, gate, standings) for status in scheduler.describe()]
    return PipelineList(pipelines=described, timestamp=clock.now())


@reads("/api/pipelines/{name:str}", summary="One pipeline", operation_id="getPipeline")
def get_pipeline(
    catalog: NamedDependency[Catalog],
    scheduler: NamedDependency[Scheduler],
    gate: NamedDependency[Gate],
    standings: NamedDependency[Standings],
    name: NameInPath,
) -> PipelineInfo:
    """How it stands, and when it runs next."""
    return _one(catalog, scheduler, gate, standings, name)


@commands(
    "/api/pipelines/{name:str}/pause",
    action="pipelines.pause",
    status_code=200,
    summary="Pause a pipeline",
    operation_id="pausePipeline",
)
def pause(
    catalog: NamedDependency[Catalog],
    scheduler: NamedDependency[Scheduler],
    gate: NamedDependency[Gate],
    standings: NamedDependency[Standings],
    pipeline_operations: NamedDependency[PipelineOperations],
    name: NameInPath,
) -> PipelineInfo:
    """Lets no cycle start by itself until it is resumed; what runs goes on. Survives a restart."""
    pipeline_operations.pause(name)
    return _one(catalog, scheduler, gate, standings, name)


@commands(
    "/api/pipelines/{name:str}/resume",
    action="pipelines.resume",
    status_code=200,
    summary="Resume a pipeline",
    operation_id="resumePipeline",
)
def resume(
    catalog: NamedDependency[Catalog],
    scheduler: NamedDependency[Scheduler],
    gate: NamedDependency[Gate],
    standings: NamedDependency[Standings],
    pipeline_operations: NamedDependency[PipelineOperations],
    name: NameInPath,
) -> PipelineInfo:
    """Lets cycles start again."""
    pipeline_operations.resume(name)
    return _one(catalog, scheduler, gate, standings, name)


@commands(
    "/api/pipelines/{name:str}/run",
    action="pipelines.run",
    status_code=202,
    summary="Run a pipeline now",
    operation_id="runPipeline",
)
def run(
    pipeline_operations: NamedDependency[PipelineOperations],
    name: NameInPath,
    data: JSONBody[RunRequest | None] = None,
) -> CycleStarted:
    """Starts a cycle, even of a paused pipeline. It waits in the queue while as many sources run as may, and is done though
    the daemon is killed meanwhile. A source that is disabled runs this once when it is named. Refused while what is asked for runs, or is queued, already."""
    source = data.source if data else None
    cycle_id = pipeline_operations.run_now(name, source)
    return CycleStarted(cycle_id=cycle_id, pipeline=name, source=source)


def _one(
    catalog: Catalog, scheduler: Scheduler, gate: Gate, standings: Standings, name: str
) -> PipelineInfo:
    for status in scheduler.describe():
        if status.name == name:
            return _info(status, catalog, gate, standings)
    raise NotFound("there is no pipeline of that name")


def _info(
    status: PipelineStatus, catalog: Catalog, gate: Gate, standings: Standings
) -> PipelineInfo:
    sources = catalog.pipeline(status.name).sources.values()
    shown = [
        PipelineSource(
            name=s.name,
            enabled=s.enabled,
            email_address=s.email_address,
            standing=StandingDetail.of(standings.of(status.name, s.name)),
        )
        for s in sources
    ]
    return PipelineInfo(
        name=status.name,
        paused=status.paused,
        running=status.running,
        interval_seconds=status.interval_seconds,
        cron=status.cron,
        next_run_at=status.next_run_at,
        concurrency=status.concurrency,
        sources=shown,
        waiting=[
            WaitingSource.of(waiting) for s in sources if (waiting := gate.waiting(status.name, s))
        ],
        queued=Queued.of(status.queued),
        failing_sources=sum(source.standing.failing for source in shown),
    )
