"""What keeps a daemon from being put together."""

from __future__ import annotations

from daemon.config import Settings
from daemon.errors import ConfigError, Problem
from daemon.pipelines.kind import Kinds
from daemon.scheduler import check_schedule
from daemon.triage.rules.files import load_rules


def check(settings: Settings, kinds: Kinds) -> list[Problem]:
    """Every mistake that keeps the daemon from starting; opens and changes nothing."""
    problems = [
        Problem(f"{settings.file.name}: {problem.where}", problem.expected)
        for name, config in settings.config.pipelines.items()
        for problem in [*check_schedule(name, config), *kinds.check(name, settings)]
    ]
    try:
        load_rules(settings.rules_path, examples=False)
    except ConfigError as error:
        problems += error.problems
    return problems


def require_correct(settings: Settings, kinds: Kinds) -> None:
    """Raises `ConfigError` with all mistakes, if there are any."""
    if problems := check(settings, kinds):
        raise ConfigError(problems)
