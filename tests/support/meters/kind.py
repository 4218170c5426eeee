"""Reads the meters of houses, of a file each with lines such as ``kitchen 12.5``."""

from __future__ import annotations

from pathlib import Path

from daemon.config import PipelineConfig, Settings
from daemon.config.schema import SourceName, Table
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


class House(Table, frozen=True, kw_only=True):
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


def _build(name: str, config: MetersConfig, around: Surroundings) -> Registered:
    base, meters = around.settings.base, around.ports["meters"]

    def read_all(run: RunHandle) -> None:
        ignored = meters.ignored(run.source)
        for line in Path(base, config.sources[run.source].file).read_text().splitlines():
            meter, _, text = line.partition(" ")
            if meter in ignored:
                run.skip(meter)
            else:
                _read(run, meter, text)

    sources = {n: Source(n, s.enabled, {}, version=fixed(s)) for n, s in config.sources.items()}
    return Registered(name, read_all, config, sources)


def _read(run: RunHandle, meter: str, text: str) -> None:
    try:
        value = float(text)
    except ValueError as error:
        run.fail(meter, error, facts=MeterRead(meter=meter, value=None))
    else:
        run.succeed(meter, facts=MeterRead(meter=meter, value=value))


METERS = Kind(
    name="meters",
    config=MetersConfig,
    check=_check,
    build=_build,
    ledgers=("tests.support.meters.ledger:LEDGER",),
)
WITH_METERS = Kinds(*KINDS, METERS)
