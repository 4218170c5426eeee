"""Every rule with where it is written and whether it counts: for people, not for classification."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from daemon.triage.rules.files import bundled_rules, bundled_texts, parse_file, read_text
from daemon.triage.rules.rule import Rule, RuleStanding

_HEADER = re.compile(r"[ \t]*\[\[[ \t]*[\"']?rule[\"']?[ \t]*\]\]")


class State(StrEnum):
    """Whether a rule counts."""

    ACTIVE = "active"
    OVERRIDDEN = "overridden"
    """A rule of the user's has its name and takes its place."""
    DISABLED = "disabled"


class ListedRule(NamedTuple):
    """A rule and where it comes from."""

    rule: Rule
    file: str
    line: int | None
    """Where its table begins, from 1; None when the file is written so that it cannot be told."""
    bundled: bool
    state: State


def listed_rules(extra: Path | None = None) -> list[ListedRule]:
    """All rules, those that do not count included, in the order in which they are considered.

    Raises ConfigError with all mistakes of the user's file.
    """
    bundled = [
        ListedRule(rule, file, line, bundled=True, state=State.ACTIVE)
        for file, text in bundled_texts()
        for rule, line in _with_lines(bundled_rules(text), text)
    ]
    own = list(_own(extra, bundled)) if extra else []
    return sorted([*own, *bundled], key=lambda listed: RuleStanding.of(listed.rule))


def _own(file: Path, bundled: list[ListedRule]) -> Iterator[ListedRule]:
    """The user's rules; marks those of `bundled` that they take out."""
    text = read_text(file)
    parsed = parse_file(text, file.name, {listed.rule.name for listed in bundled})
    out = dict.fromkeys(parsed.disabled, State.DISABLED)
    out |= {rule.name: State.OVERRIDDEN for rule in parsed.rules}
    bundled[:] = [
        listed._replace(state=out.get(listed.rule.name, State.ACTIVE)) for listed in bundled
    ]
    for rule, line in _with_lines(parsed.rules, text):
        yield ListedRule(rule, str(file), line, bundled=False, state=State.ACTIVE)


def _with_lines(rules: Sequence[Rule], text: str) -> Iterator[tuple[Rule, int | None]]:
    """Each rule with its line. A text inside a file may look like a header, so all must add up."""
    lines = [n for n, line in enumerate(text.split("\n"), start=1) if _HEADER.match(line)]
    certain = len(lines) == len(rules)
    for number, rule in enumerate(rules):
        yield rule, lines[number] if certain else None
