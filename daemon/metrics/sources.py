"""How the latest runs of each source ended, for as many sources as may have series of their own."""

from __future__ import annotations

from collections.abc import ItemsView

from daemon.pipelines.catalog import Catalog


class SourceState:
    """How the latest runs of one source ended."""

    def __init__(self) -> None:
        self.last_success: float | None = None
        self.consecutive_failures = 0
        self.failing: str | None = None
        self.failed_with: set[str] = set()
        """Categories seen since the start: their series stay, at zero, when the source recovers."""

    def fail(self, category: str | None) -> None:
        """The latest run failed."""
        self.consecutive_failures += 1
        self.failing = category or "unknown"
        self.failed_with.add(self.failing)

    def recover(self) -> None:
        """The latest run worked, at least in part."""
        self.consecutive_failures = 0
        self.failing = None


class SourceStates:
    """The states of the catalog's enabled sources, up to a limit.

    One that is switched off fails no more: its series would keep an alert firing for ever.
    """

    def __init__(self, catalog: Catalog, limit: int) -> None:
        names = [
            (pipeline.name, source.name)
            for pipeline in catalog.pipelines.values()
            for source in pipeline.sources.values()
            if source.enabled
        ]
        self._states = {name: SourceState() for name in names[:limit]}
        self.unseen = len(names) - len(self._states)
        """Sources beyond the limit."""

    def get(self, pipeline: str, source: str) -> SourceState | None:
        """The state of a source; None when it has none."""
        return self._states.get((pipeline, source))

    def items(self) -> ItemsView[tuple[str, str], SourceState]:
        """All states by pipeline and source."""
        return self._states.items()
