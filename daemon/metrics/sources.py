"""How the latest runs of each source ended, for as many sources as metrics may have series for."""

from __future__ import annotations

from collections.abc import ItemsView

from daemon.pipelines.catalog import Catalog, Source


class SourceState:
    """How the latest runs of one source ended."""

    def __init__(self) -> None:
        self.last_success: float | None = None
        self.consecutive_failures = 0
        self.failing: str | None = None
        self.failing_since: float | None = None
        """When the first of the runs that failed in a row ended, in seconds since 1970."""
        self.failed_with: set[str] = set()
        """Categories seen since the start: their series stay, at zero, when the source recovers."""

    def fail(self, category: str | None, at: float) -> None:
        """The latest run failed; it ended so many seconds after 1970."""
        self.consecutive_failures += 1
        if self.failing_since is None:
            self.failing_since = at
        self.failing = category or "unknown"
        self.failed_with.add(self.failing)

    def recover(self) -> None:
        """The latest run worked, at least in part."""
        self.consecutive_failures = 0
        self.failing = None
        self.failing_since = None


class SourceStates:
    """The states of the catalog's enabled sources, up to a limit. Follows the catalog as they come and go.

    One that is switched off fails no more: its series would keep an alert firing for ever.
    """

    def __init__(self, catalog: Catalog, limit: int) -> None:
        self._catalog = catalog
        self._limit = limit
        self._states: dict[tuple[str, str], SourceState] = {}
        self.unseen = 0
        """Sources beyond the limit."""
        self._choose()
        catalog.follow(self._follow)

    def get(self, pipeline: str, source: str) -> SourceState | None:
        """The state of a source; None when it has none, or is gone."""
        return self._states.get((pipeline, source))

    def items(self) -> ItemsView[tuple[str, str], SourceState]:
        """All states by pipeline and source."""
        return self._states.items()

    def _follow(self, _pipeline: str, _name: str, _source: Source | None) -> None:
        self._choose()

    def _choose(self) -> None:
        """Those that have a state keep it; a place that became free goes to the next.

        Replaces the states, so that a scrape may go through those it began with.
        """
        pipelines = self._catalog.pipelines.values()
        names = [
            (pipeline.name, source.name)
            for pipeline in pipelines
            for source in pipeline.sources.values()
            if source.enabled
        ]
        names.sort(key=lambda name: name not in self._states)
        self._states = {
            name: self._states.get(name) or SourceState() for name in names[: self._limit]
        }
        self.unseen = len(names) - len(self._states)
