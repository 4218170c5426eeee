"""What the rest knows of a kind of pipeline: one record for each, made in the kind's own folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from daemon.clock import Clock
from daemon.config import PipelineConfig, Settings
from daemon.errors import Problem
from daemon.pipelines.catalog import Catalog, Registered

C = TypeVar("C", bound=PipelineConfig)


class Surroundings(msgspec.Struct, frozen=True):
    """What a pipeline is built into."""

    settings: Settings
    clock: Clock
    ports: Mapping[str, Any]
    """What pipelines ask of the rest, by name: what was done before, accounts. Each kind says in `ports.py` of
    its folder what it asks of its own."""


class Kind(msgspec.Struct, Generic[C], frozen=True, kw_only=True):
    """A kind of pipeline. What needs large libraries is imported only when it is called."""

    name: str | None
    """The name of its pipeline in the configuration; None for the kind of all other names."""
    config: type[C]
    """The record that it is configured by."""
    check: Callable[[str, C, Settings], list[Problem]]
    """All mistakes that the record cannot see in a pipeline of a name, each with its key path."""
    build: Callable[[str, C, Surroundings], Registered]
    """The pipeline of a name with its sources, ready to run, of a configuration without mistakes."""
    ledgers: tuple[str, ...] = ()
    """What the store keeps of it beyond runs and failures, as ``package.module:NAME`` of a `Ledger`. By name,
    because a pipeline knows nothing of the store."""


class Kinds:
    """All kinds that there are."""

    def __init__(self, *kinds: Kind[Any]) -> None:
        """One of them has no name: it is the kind of all names that no other has."""
        self._kinds = {kind.name: kind for kind in kinds}

    def __iter__(self) -> Iterator[Kind[Any]]:
        return iter(self._kinds.values())

    def of(self, pipeline: str) -> Kind[Any]:
        """The kind of a pipeline of that name."""
        return self._kinds.get(pipeline) or self._kinds[None]

    def record_of(self, pipeline: str) -> type[PipelineConfig]:
        """The record that a pipeline of that name is configured by."""
        return self.of(pipeline).config

    @property
    def ledgers(self) -> tuple[str, ...]:
        """The names of the ledgers of all kinds."""
        return tuple(name for kind in self for name in kind.ledgers)

    def check(self, pipeline: str, settings: Settings) -> list[Problem]:
        """All mistakes of one pipeline of the configuration."""
        config = settings.config.pipelines[pipeline]
        return self.of(pipeline).check(pipeline, config, settings)

    def build(self, surroundings: Surroundings) -> Catalog:
        """All pipelines of a configuration without mistakes."""
        pipelines = surroundings.settings.config.pipelines.items()
        return Catalog(
            {name: self.of(name).build(name, config, surroundings) for name, config in pipelines}
        )
