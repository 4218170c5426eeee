"""The ingest pipeline as the rest knows it."""

from __future__ import annotations

from functools import partial
from typing import cast

from daemon.clock import SystemClock
from daemon.config import Settings
from daemon.errors import Problem
from daemon.pipelines.catalog import Registered, Source
from daemon.pipelines.contract import Pipeline
from daemon.pipelines.ingest.config import PIPELINE, IngestConfig
from daemon.pipelines.kind import Kind, Surroundings
from daemon.pipelines.made import Made
from daemon.pipelines.versions import fixed

# DuckDB is imported only where it is needed: commands that read a configuration do without it.


def _check(_name: str, config: IngestConfig, settings: Settings) -> list[Problem]:
    from daemon.pipelines.ingest.checks import problems_of

    return problems_of(config, settings.base)


def _build(name: str, config: IngestConfig, around: Surroundings) -> Registered:
    from daemon.pipelines.ingest.pipeline import IngestPipeline
    from daemon.pipelines.ingest.places import folders, rejects_folder
    from daemon.pipelines.ingest.retry import FileRetries

    settings, files, clock = around.settings, around.ports["files"], around.clock
    rejects = rejects_folder(settings)
    function: Pipeline = IngestPipeline(config, settings.base, rejects, clock)
    if config.mode == "process":
        function = Made(partial(IngestPipeline, config, settings.base, rejects, SystemClock()))
    sources = {
        n: Source(n, s.enabled, {}, version=fixed((s, config.memory_limit)))
        for n, s in config.sources.items()
    }
    retries = FileRetries(name, files, folders(settings), clock)

    def known(source: str, wanted: frozenset[str] | None) -> bytes:
        return cast("bytes", files.known(source, wanted, sources[source].version()))

    return Registered(name, function, config, sources, retries, known, counts_rows=True)


INGEST = Kind(
    name=PIPELINE,
    config=IngestConfig,
    check=_check,
    build=_build,
    ledgers=("daemon.store.ledgers.files.ledger:FILES",),
)
