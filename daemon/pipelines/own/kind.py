"""Pipelines of one's own: a Python function, under any name that no other kind has."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from daemon.config import Settings
from daemon.errors import ConfigError, Problem
from daemon.pipelines.catalog import Registered, Source
from daemon.pipelines.functions import load_function
from daemon.pipelines.kind import Kind, Surroundings
from daemon.pipelines.made import Made
from daemon.pipelines.own.check_elsewhere import problems_elsewhere
from daemon.pipelines.own.config import OwnConfig
from daemon.pipelines.versions import fixed


def _check(name: str, config: OwnConfig, settings: Settings) -> list[Problem]:
    if config.mode == "process":
        return _check_elsewhere(name, config, settings)
    try:
        load_function(config.run, f"pipelines.{name}.run", settings.base)
    except ConfigError as error:
        return error.problems
    return []


def _check_elsewhere(name: str, config: OwnConfig, settings: Settings) -> list[Problem]:
    return problems_elsewhere(config.run, f"pipelines.{name}.run", settings.base)


def _build(name: str, config: OwnConfig, around: Surroundings) -> Registered:
    load = partial(load_function, config.run, f"pipelines.{name}.run", around.settings.base)
    # In another process it is loaded there, and takes no memory here.
    function = Made(load) if config.mode == "process" else load()
    return Registered(name, function, config, _sources(name, config))


def _sources(name: str, config: OwnConfig) -> dict[str, Source]:
    if not config.sources:
        return {name: Source(name, True, {})}
    return {
        n: Source(n, s.enabled, s.options, s.email_address, fixed(s))
        for n, s in config.sources.items()
    }


OWN = Kind(name=None, config=OwnConfig, check=_check, build=_build)
OWN_UNTRIED = replace(OWN, check=_check_elsewhere)
"""The same, for who only looks at a configuration: no code of the user's runs in this process."""
