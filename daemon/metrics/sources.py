"""Which sources have series of their own: as many as metrics may have series for."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable

from daemon.pipelines.catalog import Catalog, Source

SourceKey = tuple[str, str]
"""Pipeline and source."""


class ShownSources:
    """The catalog's enabled sources, up to a limit. Follows the catalog as they come and go.

    One that is switched off has no series: they would keep an alert firing for ever.
    """

    def __init__(self, catalog: Catalog, limit: int) -> None:
        self._catalog = catalog
        self._limit = limit
        self._failed_with: dict[SourceKey, set[str]] = {}
        """Categories seen since the start: their series stay, at zero, when the source recovers."""
        self.unseen = 0
        """Sources beyond the limit."""
        self._choose()
        catalog.follow(self._follow)

    def __contains__(self, source: object) -> bool:
        return source in self._failed_with

    def items(self) -> ItemsView[SourceKey, set[str]]:
        """All sources by pipeline and name, with the categories that they were seen to fail with."""
        return self._failed_with.items()

    def _follow(self, _pipeline: str, _name: str, _source: Source | None) -> None:
        self._choose()

    def _choose(self) -> None:
        """Those that are shown stay; a place that became free goes to the next.

        Replaces them, so that a scrape may go through those it began with.
        """
        names = list(enabled_sources(self._catalog))
        names.sort(key=lambda name: name not in self._failed_with)
        self._failed_with = {
            name: self._failed_with.get(name, set()) for name in names[: self._limit]
        }
        self.unseen = len(names) - len(self._failed_with)


def enabled_sources(catalog: Catalog) -> Iterable[SourceKey]:
    """All sources that cycles include."""
    return (
        (pipeline.name, source.name)
        for pipeline in catalog.pipelines.values()
        for source in pipeline.sources.values()
        if source.enabled
    )
