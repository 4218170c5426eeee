"""All metrics put together: seeded, counted, measured and written out."""

from __future__ import annotations

from datetime import datetime

from daemon.live import Live
from daemon.metrics.at_scrape import AtScrape, Measured
from daemon.metrics.counting import Counting
from daemon.metrics.declared import Declared
from daemon.metrics.exposition import exposition
from daemon.metrics.sources import ShownSources
from daemon.pipelines.catalog import Catalog


class Metrics:
    """All metrics of the daemon, in a registry of their own."""

    def __init__(self, version: str, catalog: Catalog, live: Live, max_sources: int) -> None:
        self._catalog = catalog
        self._live = live
        self._declared = Declared(version)
        self._sources = ShownSources(catalog, max_sources)
        for pipeline in catalog.pipelines.values():
            self._declared.create_at_zero(
                pipeline.name, pipeline.interval_seconds, counts_rows=pipeline.counts_rows
            )
        self.registry = self._declared.registry
        self.connections = self._declared.connections
        self.connections_ended = self._declared.connections_ended
        self.live_clients = self._declared.live_clients
        self.live_dropped = self._declared.live_dropped
        self.notifications_dropped = self._declared.notifications_dropped
        self.requests_refused = self._declared.requests_refused
        self._counting = Counting(self._declared, catalog.pipelines, self._sources)
        self.count = self._counting.count

    def seed(self, last_cycles: dict[str, datetime]) -> None:
        """Starts gauges from what the store remembers, so a restart does not read as 1970."""
        for pipeline, ended in last_cycles.items():
            if pipeline in self._catalog.pipelines:
                self._declared.cycle_completion.labels(pipeline).set(ended.timestamp())

    def measure(self, measured: Measured) -> None:
        """Adds the gauges that are read from the rest of the daemon at each scrape."""
        skipped = self._counting.cycles_skipped_of
        at_scrape = AtScrape(self._catalog, self._live, self._sources, skipped, measured)
        self.registry.register(at_scrape)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics in the format that `accept` asks for, with their content type."""
        return exposition(self.registry, accept)
