"""`triaged check-config`: every mistake of a configuration, with nothing opened or changed."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import msgspec

from daemon.cli import terminal
from daemon.cli.addresses import config_of
from daemon.cli.main import Exit, complain
from daemon.composition.checks import check
from daemon.config import PipelineConfig, Settings
from daemon.config.load import decode_sound_part, parse_file
from daemon.config.places import CONFIG_VARIABLE
from daemon.errors import ConfigError, Problem
from daemon.pipelines.kinds import TO_CHECK, load_settings


class Checked(msgspec.Struct, frozen=True):
    """What `--json` says."""

    valid: bool
    problems: list[Problem]
    pipelines: list[PipelineSummary]
    notes: list[Problem]
    """What is no mistake and worth telling."""


class PipelineSummary(msgspec.Struct, frozen=True):
    """A pipeline of a valid configuration."""

    name: str
    schedule: str
    sources: list[str]
    """Those that are enabled."""
    disabled: list[str]


def run(args: Namespace) -> int:
    """Checks a configuration file."""
    file = args.file or config_of(args)
    if file is None:
        raise ConfigError([Problem("", f"expected a configuration: FILE or {CONFIG_VARIABLE}")])
    settings, found = find_problems(file)
    problems = [problem for problem in found if not problem.harmless]
    notes = [problem for problem in found if problem.harmless]
    valid = settings is not None and not problems
    summary = [_summary(*entry) for entry in settings.config.pipelines.items()] if settings else []
    if args.json:
        terminal.write_line(msgspec.json.encode(Checked(valid, problems, summary, notes)))
        return Exit.SUCCESS if valid else Exit.CONFIG
    if not valid:
        return complain(Exit.CONFIG, *map(str, found))
    _show(file, summary)
    return complain(Exit.SUCCESS, *map(str, notes))


def find_problems(file: Path) -> tuple[Settings | None, list[Problem]]:
    """The settings, if they can be had, every mistake that `serve` would refuse to start for, and notes."""
    try:
        settings = load_settings(file)
    except ConfigError as error:
        return None, [*error.problems, *_further_problems(file, error.problems)]
    return settings, check(settings, TO_CHECK)


def _further_problems(file: Path, known: list[Problem]) -> list[Problem]:
    """Mistakes in what is sound by itself, which the first ones must not hide.

    What is found about a table that has a mistake already may come of that.
    """
    try:
        config, _ = decode_sound_part(parse_file(file), TO_CHECK.record_of)
    except ConfigError:
        return []
    found = check(Settings(config, file.resolve()), TO_CHECK)
    return [p for p in found if not any(f"{k.where}.".startswith(f"{p.where}.") for k in known)]


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
    console.print(terminal.cell(f"{file} has no mistakes."), soft_wrap=True)
