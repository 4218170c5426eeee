"""Reading rule files: the bundled ones and the user's, with every mistake named by its place."""

from __future__ import annotations

import errno as errno_numbers
import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import tomli

from daemon.durable import read_regular
from daemon.errors import ConfigError, Problem
from daemon.taxonomy import RetryStrategy
from daemon.triage.matching.patterns import pattern_mistake
from daemon.triage.retry import Retry
from daemon.triage.rules.rule import CONDITIONS, UNMATCHED, Example, Rule

BUNDLED = resources.files("daemon.triage.rules").joinpath("bundled")
_FIELDS = {field.name: field for field in msgspec.structs.fields(Rule)}
_PLACEHOLDER = re.compile(r"\{(?!column\})[^{}]*\}")


class RuleFile(NamedTuple):
    """What a rule file says."""

    rules: list[Rule]
    disabled: tuple[str, ...]
    """Names of bundled rules that are not to be considered."""


def load_rules(extra: Path | None = None, *, examples: bool = True) -> list[Rule]:
    """The bundled rules without those that the user's file disables, with its own added or, by
    name, in their place. Without `examples` those of the bundled rules are left out.

    Raises ConfigError with all mistakes of the file at once.
    """
    rules = {rule.name: rule for rule in _bundled(examples=examples)}
    if extra is not None:
        own = parse_file(read_text(extra), extra.name, rules)
        for name in own.disabled:
            del rules[name]
        rules.update((rule.name, rule) for rule in own.rules)
    return list(rules.values())


@cache
def _bundled(*, examples: bool) -> tuple[Rule, ...]:
    """Read once: they never change while a process lives."""
    texts = bundled_texts()
    return tuple(rule for _, text in texts for rule in bundled_rules(text, examples=examples))


def parse_rules(text: str, file: str) -> list[Rule]:
    """The rules of one file's text. `file` names it in problems."""
    return parse_file(text, file, ()).rules


def parse_file(text: str, file: str, bundled: Collection[str]) -> RuleFile:
    """Everything in one file's text, which may disable rules of the names `bundled`.

    Raises ConfigError with all mistakes at once.
    """
    try:
        document = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError([Problem(file, f"is not valid TOML: {error}")]) from None
    problems = [
        Problem(f"{file}: {key}", "is not known; only [[rule]] tables and `disable` are expected")
        for key in document
        if key not in ("rule", "disable")
    ]
    disabled = _disabled(document.get("disable", []), file, bundled, problems)
    tables = document.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError([*problems, Problem(f"{file}: rule", "expected [[rule]] tables")])
    rules = _convert(tables, file, problems)
    if problems:
        raise ConfigError(problems)
    return RuleFile(rules, disabled)


def _disabled(
    names: Any, file: str, bundled: Collection[str], problems: list[Problem]
) -> tuple[str, ...]:
    if not isinstance(names, list):
        problems.append(Problem(f"{file}: disable", "expected a list of names of bundled rules"))
        return ()
    for number, name in enumerate(names, start=1):
        if not isinstance(name, str) or name not in bundled:
            where = f"{file}: disable[{number}] {name!r}"
            problems.append(
                Problem(where, f"is not the name of a bundled rule{_like(name, bundled)}")
            )
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def _like(name: Any, known: Collection[str]) -> str:
    alike = get_close_matches(name, known, n=1) if isinstance(name, str) else []
    return f"; did you mean {alike[0]!r}?" if alike else ""


def bundled_texts() -> Iterator[tuple[str, str]]:
    """Name and text of each file that comes with triaged."""
    for entry in BUNDLED.iterdir():
        if entry.name.endswith(".toml"):
            yield entry.name, entry.read_text(encoding="utf-8")


def bundled_rules(text: str, *, examples: bool = True) -> list[Rule]:
    """The rules of a bundled file. A test holds it to `parse_rules`, so it is only read here."""
    tables = tomli.loads(text)["rule"]
    if not examples:
        for table in tables:
            table.pop("examples", None)
    return msgspec.convert(tables, list[Rule])


def read_text(path: Path) -> str:
    """What is in the user's file. Raises ConfigError."""
    try:
        return read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError([Problem(path.name, f"cannot be read: {reason}")]) from None


def _convert(tables: list[dict[str, Any]], file: str, problems: list[Problem]) -> list[Rule]:
    rules: list[Rule] = []
    seen: set[str] = set()
    for number, table in enumerate(tables, start=1):
        name = table.get("name")
        where = f"{file}: rule[{number}] {name!r}" if name else f"{file}: rule[{number}]"
        mistakes = _mistakes(table)
        if isinstance(name, str) and name in seen:
            mistakes.append(("name", "is used by another rule of this file"))
        seen.add(str(name))
        problems.extend(Problem(f"{where}.{field}", expected) for field, expected in mistakes)
        if not mistakes:
            rules.append(msgspec.convert(table, Rule))
    return rules


def _mistakes(table: dict[str, Any]) -> list[tuple[str, str]]:
    """Field and explanation for everything that is wrong with one rule."""
    mistakes: list[tuple[str, str]] = []
    for name, field in _FIELDS.items():
        if name in table:
            try:
                msgspec.convert(table[name], field.type)
            except msgspec.ValidationError as error:
                mistakes.append((name, _sentence(error, field.type)))
        elif field.required:
            mistakes.append((name, "is missing"))
    unknown = [name for name in table if name not in _FIELDS]
    mistakes.extend(
        (name, f"is not known; expected one of {', '.join(_FIELDS)}") for name in unknown
    )
    return mistakes or _contradictions(msgspec.convert(table, Rule))


def _sentence(error: msgspec.ValidationError, kind: Any) -> str:
    values = f"; expected one of {', '.join(kind)}" if isinstance(kind, type(RetryStrategy)) else ""
    return f"{str(error).removesuffix(' - at `$`')}{values}"


def _contradictions(rule: Rule) -> list[tuple[str, str]]:
    """What types alone cannot tell."""
    mistakes = [
        ("patterns", f"is not a regular expression: {pattern!r}: {reason}")
        for pattern in rule.patterns
        if (reason := pattern_mistake(pattern))
    ]
    mistakes += [
        ("errno", f"{name!r} is not known; expected names such as ENOSPC")
        for name in rule.errno
        if not isinstance(getattr(errno_numbers, name, None), int)
    ]
    mistakes += [
        ("examples", f"errno {example.errno!r} is not known; expected names such as ENOSPC")
        for example in rule.examples
        if isinstance(example, Example) and example.errno is not None
        if not isinstance(getattr(errno_numbers, example.errno, None), int)
    ]
    mistakes += [
        (field, f"{found[0]} is not known; only {{column}} is replaced")
        for field in ("user_message", "suggested_action")
        if (found := _PLACEHOLDER.search(getattr(rule, field)))
    ]
    if rule.name == UNMATCHED.name:
        mistakes.append(("name", "is reserved for errors that no rule matches"))
    if not any(getattr(rule, kind) for kind in CONDITIONS):
        mistakes.append(
            ("patterns", "no condition is given; expected patterns or structured facts")
        )
    if rule.retry is not Retry.YES and rule.strategy not in (None, RetryStrategy.NONE):
        mistakes.append(("strategy", f"contradicts retryable: {rule.retry}; expected none"))
    return mistakes
