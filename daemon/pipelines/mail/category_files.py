"""Reads files of header rules: the bundled one and the user's, with every mistake named by its place."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from daemon.config.decode import decode_table
from daemon.durable import read_regular
from daemon.errors import ConfigError, Problem
from daemon.pipelines.mail.categories import CategoryRule, HeaderCondition
from daemon.pipelines.mail.message import HEADER_FIELDS
from daemon.triage.matching.patterns import pattern_mistake

BUNDLED = resources.files("daemon.pipelines.mail").joinpath("categories.toml")
RESERVED = ("own", "model", "fallback")
"""What stands in place of a rule's name where no rule decided."""


def load_category_rules(extra: Path | None = None) -> list[CategoryRule]:
    """The bundled rules with those of the user's file, which take the place of those of the same name.

    Raises `ConfigError` with all mistakes of the file.
    """
    rules = {
        rule.name: rule for rule in parse_category_rules(BUNDLED.read_text("utf-8"), "bundled")
    }
    if extra is not None:
        rules |= {rule.name: rule for rule in parse_category_rules(_read(extra), extra.name)}
    return list(rules.values())


def parse_category_rules(text: str, file: str) -> list[CategoryRule]:
    """The rules in one file's text; `file` names it in problems. Raises `ConfigError`."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem(file, f"is not valid TOML: {error}")]) from None
    problems = [
        Problem(f"{file}: {key}", "is not known; only [[rule]] tables are expected")
        for key in document
        if key != "rule"
    ]
    tables = document.get("rule", [])
    if not isinstance(tables, list):
        raise ConfigError([*problems, Problem(f"{file}: rule", "expected [[rule]] tables")])
    rules: dict[str, CategoryRule] = {}
    for number, table in enumerate(tables, start=1):
        where = f"{file}: rule[{number}]"
        rule, found = decode_table(table, CategoryRule, where)
        problems += found or list(_contradictions(rule, where, rules))
        if rule is not None:
            rules[rule.name] = rule
    if problems:
        raise ConfigError(problems)
    return list(rules.values())


def _read(path: Path) -> str:
    try:
        return read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError([Problem(path.name, f"cannot be read: {reason}")]) from None


def _contradictions(rule: CategoryRule, where: str, earlier: dict[str, Any]) -> Iterator[Problem]:
    """What types alone cannot tell."""
    if rule.name in earlier:
        yield Problem(f"{where}.name", f"{rule.name} is used by another rule of this file")
    if rule.name in RESERVED:
        yield Problem(f"{where}.name", f"{rule.name} is reserved")
    if not rule.headers and not rule.sender_domains:
        yield Problem(where, "has no condition; expected `headers` or `sender_domains`")
    for number, condition in enumerate(rule.headers):
        yield from _condition_problems(condition, f"{where}.headers[{number}]")


def _condition_problems(condition: HeaderCondition, where: str) -> Iterator[Problem]:
    if condition.header.casefold() not in {name.casefold() for name in HEADER_FIELDS}:
        fetched = ", ".join(HEADER_FIELDS)
        yield Problem(f"{where}.header", f"{condition.header!r} is not fetched; expected {fetched}")
    for field in ("matches", "not_matches"):
        for pattern in getattr(condition, field):
            if reason := pattern_mistake(pattern):
                expected = f"is not a pattern that can be used: {pattern!r}: {reason}"
                yield Problem(f"{where}.{field}", expected)
    if condition.asks and not condition.present:
        yield Problem(where, "asks for the value of a field that is not to be present")
