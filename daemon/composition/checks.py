"""What keeps a daemon from being put together."""

from __future__ import annotations

import logging

from daemon.config import Settings
from daemon.config.load import in_file
from daemon.config.secrets import unreadable
from daemon.errors import ConfigError, Problem
from daemon.pipelines.kind import Kinds
from daemon.scheduler import check_schedule
from daemon.triage.rules.files import load_rules

log = logging.getLogger("triaged")


def check(settings: Settings, kinds: Kinds) -> list[Problem]:
    """Every mistake that keeps the daemon from starting, and what is worth telling; opens and changes nothing."""
    config = settings.config
    problems = [
        problem
        for name, pipeline in config.pipelines.items()
        for problem in [*check_schedule(name, pipeline), *kinds.check(name, settings)]
    ]
    if not config.pipelines:
        problems.append(Problem("pipelines", "there are none, so nothing would run", harmless=True))
    return in_file(settings.file, problems) + _of_rules(settings)


def _of_rules(settings: Settings) -> list[Problem]:
    rules = settings.rules_path
    if rules is not None and (wrong := unreadable(rules)):
        return in_file(settings.file, [Problem("triage.rules", wrong)])
    try:
        load_rules(rules, examples=False)
    except ConfigError as error:
        return error.problems
    return []


def require_correct(settings: Settings, kinds: Kinds) -> None:
    """Raises `ConfigError` with all mistakes, if there are any; logs what else is worth telling."""
    found = check(settings, kinds)
    if mistakes := [problem for problem in found if not problem.harmless]:
        raise ConfigError(mistakes)
    for problem in found:
        log.warning("%s", problem, extra={"event": "configuration_remark"})
