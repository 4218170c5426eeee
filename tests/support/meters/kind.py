"""Reads the meters of houses, of a file each with lines such as ``kitchen 12.5``."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from daemon.config import PipelineConfig, Settings
from daemon.config.schema import ConfigTable, SourceName
from daemon.errors import Problem
from daemon.events import Facts
from daemon.pipelines.catalog import Registered, Source
from daemon.pipelines.contract import RunHandle
from daemon.pipelines.kind import Kind, Kinds, Surroundings
from daemon.pipelines.kinds import KINDS
from daemon.pipelines.versions import fixed

CONFIG = "[pipelines.meters.sources.north]\nfile = 'north.txt'\n"


class MeterRead(Facts, frozen=True, kw_only=True, tag="meter_read"):
    """What a meter shows."""

    meter: str
    value: float | None
    """None where it cannot be read."""


class MeterIgnored(Facts, frozen=True, kw_only=True, tag="meter_ignored"):
    """A person wants a meter to be left alone."""

    source: str
    meter: str


class IgnoredMeters(Protocol):
    """What was done before."""

    def ignored(self, source: str) -> set[str]:
        """The meters of a house that are to be left alone."""
        ...


class House(ConfigTable, frozen=True, kw_only=True):
    """The meters of a house."""

    file: str
    """Their readings."""
    enabled: bool = True
    """Whether cycles include it."""


class MetersConfig(PipelineConfig, frozen=True, kw_only=True):
    """Reads meters."""

    sources: dict[SourceName, House]
    """The houses."""


def _check(_name: str, _config: MetersConfig, _settings: Settings) -> list[Problem]:
    return []


class MeterReading:
    """The function of a run: reads all meters of a house but those that are to be left alone."""

    def __init__(self, base: Path, config: MetersConfig) -> None:
        self._base = base
        self._config = config

    def __call__(self, run: RunHandle) -> None:
        ignored = msgspec.json.decode(run.known, type=set[str])
        file = self._base / self._config.sources[run.source].file
        for line in file.read_text().splitlines():
            meter, _, text = line.partition(" ")
            if meter in ignored:
                run.skip(meter)
            else:
                _read(run, meter, text)


def _read(run: RunHandle, meter: str, text: str) -> None:
    try:
        value = float(text)
    except ValueError as error:
        run.fail(meter, error, facts=MeterRead(meter=meter, value=None))
    else:
        run.succeed(meter, facts=MeterRead(meter=meter, value=value))


def _build(name: str, config: MetersConfig, around: Surroundings) -> Registered:
    meters: IgnoredMeters = around.ports["meters"]

    def look_up(source: str, _wanted: frozenset[str] | None) -> bytes:
        return msgspec.json.encode(meters.ignored(source))

    sources = {n: Source(n, s.enabled, {}, version=fixed(s)) for n, s in config.sources.items()}
    function = MeterReading(around.settings.base, config)
    return Registered(name, function, config, sources, look_up=look_up)


METERS = Kind(
    name="meters",
    config=MetersConfig,
    check=_check,
    build=_build,
    ledgers=("tests.support.meters.ledger:LEDGER",),
)
WITH_METERS = Kinds(*KINDS, METERS)
