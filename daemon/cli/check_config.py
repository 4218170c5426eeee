"""`triaged check-config`: every mistake of a configuration, with nothing opened or changed."""

from __future__ import annotations

import tomllib
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from daemon.cli import terminal
from daemon.cli.main import Exit, complain
from daemon.composition.checks import check
from daemon.config import Config, PipelineConfig, Settings
from daemon.config.load import decode_config
from daemon.errors import ConfigError, Problem
from daemon.pipelines.kinds import KINDS, load_settings


class Checked(msgspec.Struct, frozen=True):
    """What `--json` says."""

    valid: bool
    problems: list[Problem]
    pipelines: list[PipelineSummary]


class PipelineSummary(msgspec.Struct, frozen=True):
    """A pipeline of a valid configuration."""

    name: str
    schedule: str
    sources: list[str]
    """Those that are enabled."""
    disabled: list[str]


def run(args: Namespace) -> int:
    """Checks a configuration file."""
    settings, problems = find_problems(args.config)
    valid = settings is not None and not problems
    summary = [_summary(*entry) for entry in settings.config.pipelines.items()] if settings else []
    if args.json:
        terminal.write_line(msgspec.json.encode(Checked(valid, problems, summary)))
        return Exit.SUCCESS if valid else Exit.CONFIG
    if not valid:
        return complain(Exit.CONFIG, *map(str, problems))
    _show(args.config, summary)
    return Exit.SUCCESS


def find_problems(file: Path) -> tuple[Settings | None, list[Problem]]:
    """The settings, if they can be had, and every mistake that `serve` would refuse to start for."""
    try:
        settings = load_settings(file)
    except ConfigError as error:
        return None, [*error.problems, *_further_problems(file)]
    return settings, check(settings, KINDS)


def _further_problems(file: Path) -> list[Problem]:
    """Mistakes in the parts that are sound by themselves, which the first ones must not hide."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return check(Settings(_sound_part(data), file.resolve()), KINDS)


def _sound_part(data: dict[str, Any]) -> Config:
    """Rules, retention and each pipeline, when they can be decoded without the rest."""
    sound = Config()
    for name in ("triage", "store"):
        section, _ = decode_config({name: data.get(name, {})}, KINDS.record_of)
        if section is not None:
            sound = replace(sound, **{name: getattr(section, name)})
    pipelines: dict[str, PipelineConfig] = {}
    tables = data.get("pipelines", {})
    for name, table in tables.items() if isinstance(tables, dict) else ():
        alone, _ = decode_config({"pipelines": {name: table}}, KINDS.record_of)
        if alone is not None:
            pipelines |= alone.pipelines
    return replace(sound, pipelines=pipelines)


def _summary(name: str, config: PipelineConfig) -> PipelineSummary:
    sources = {source: found.enabled for source, found in config.sources.items()}
    if config.is_own_source and not sources:
        sources = {name: True}
    return PipelineSummary(
        name,
        _schedule(config),
        [source for source, enabled in sources.items() if enabled],
        [source for source, enabled in sources.items() if not enabled],
    )


def _schedule(config: PipelineConfig) -> str:
    if config.cron is not None:
        return f"at {config.cron} (UTC)"
    every = config.interval
    return "on demand" if every is None else f"every {terminal.interval(every)}"


def _show(file: Path, pipelines: list[PipelineSummary]) -> None:
    console = terminal.make_console()
    if pipelines:
        table = terminal.make_table("Pipeline", "Schedule", "Sources")
        for pipeline in pipelines:
            disabled = [f"{name} (disabled)" for name in pipeline.disabled]
            table.add_row(
                terminal.cell(pipeline.name, "bold"),
                terminal.cell(pipeline.schedule),
                terminal.cell(", ".join([*pipeline.sources, *disabled])),
            )
        console.print(table)
    console.print(terminal.cell(f"{file} has no mistakes."))
