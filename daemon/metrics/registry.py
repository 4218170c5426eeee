"""All metrics put together: seeded, counted, measured and written out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from daemon.live import Live
from daemon.metrics.at_scrape import AtScrape, Measured
from daemon.metrics.counting import Counting
from daemon.metrics.declared import Declared
from daemon.metrics.exposition import exposition
from daemon.metrics.sources import SourceStates
from daemon.pipelines.catalog import Catalog
from daemon.store.runs import SourceStanding


class Metrics:
    """All metrics of the daemon, in a registry of their own."""

    def __init__(self, version: str, catalog: Catalog, live: Live, max_sources: int) -> None:
        self._catalog = catalog
        self._live = live
        self._declared = Declared(version)
        self._sources = SourceStates(catalog, max_sources)
        for pipeline in catalog.pipelines.values():
            self._declared.create_at_zero(
                pipeline.name, pipeline.interval_seconds, counts_rows=pipeline.counts_rows
            )
        self.registry = self._declared.registry
        self.live_clients = self._declared.live_clients
        self.live_dropped = self._declared.live_dropped
        self.notifications_dropped = self._declared.notifications_dropped
        self.requests_refused = self._declared.requests_refused
        self.count = Counting(self._declared, self._sources, catalog.pipelines).count

    def seed(self, standings: Iterable[SourceStanding], last_cycles: dict[str, datetime]) -> None:
        """Starts the gauges from what the store remembers, so a restart does not read as 1970."""
        for standing in standings:
            state = self._sources.get(standing.pipeline, standing.source)
            if state is not None:
                if standing.last_success is not None:
                    state.last_success = standing.last_success.timestamp()
                if standing.failing_since is not None:
                    state.fail(standing.failing_category, standing.failing_since.timestamp())
                state.consecutive_failures = standing.consecutive_failures
        for pipeline, ended in last_cycles.items():
            if pipeline in self._catalog.pipelines:
                self._declared.cycle_completion.labels(pipeline).set(ended.timestamp())

    def measure(self, measured: Measured) -> None:
        """Adds the gauges that are read from the rest of the daemon at each scrape."""
        self.registry.register(AtScrape(self._catalog, self._live, self._sources, measured))

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics in the format that `accept` asks for, with their content type."""
        return exposition(self.registry, accept)
