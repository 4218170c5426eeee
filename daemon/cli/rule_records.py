"""Rules as `triaged rules` gives them out."""

from __future__ import annotations

from typing import Any

import msgspec

from daemon.triage.rules.listing import ListedRule
from daemon.triage.rules.rule import CONDITIONS, Example


class ListedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in a list."""

    name: str
    category: str
    retry: str
    """yes, no or unknown."""
    priority: int
    fallback: bool
    pipelines: tuple[str, ...]
    """Empty: all."""
    origin: str
    """bundled or own."""
    file: str
    line: int | None
    state: str
    """active, overridden or disabled."""

    @classmethod
    def of(cls, listed: ListedRule) -> ListedLine:
        """The rule with where it is written."""
        return cls(**_place_and_standing(listed))

    @property
    def place(self) -> str:
        """File and line as people point at them."""
        file = f"bundled {self.file}" if self.origin == "bundled" else self.file
        return file if self.line is None else f"{file}:{self.line}"


class ShownRule(ListedLine, frozen=True, kw_only=True):
    """All of a rule."""

    strategy: str
    """How waiting times between attempts grow."""
    conditions: dict[str, tuple[str | int, ...]]
    """By kind: each has to be met, by any of its values."""
    user_message: str
    suggested_action: str
    examples: tuple[str | Example, ...]

    @classmethod
    def of(cls, listed: ListedRule) -> ShownRule:
        """The rule with where it is written."""
        rule = listed.rule
        return cls(
            **_place_and_standing(listed),
            strategy=rule.waiting,
            conditions={kind: getattr(rule, kind) for kind in CONDITIONS if getattr(rule, kind)},
            user_message=rule.user_message,
            suggested_action=rule.suggested_action,
            examples=rule.examples,
        )

    def in_words(self) -> dict[str, Any]:
        """What a person reads, by its name."""
        shown: dict[str, Any] = {
            "rule": self.name if self.state == "active" else f"{self.name} ({self.state})",
            "written in": self.place,
            "category": self.category,
            "retryable": self.retry,
            "strategy": self.strategy,
            "priority": f"{self.priority}, fallback" if self.fallback else self.priority,
            "pipelines": self.pipelines or "all",
            **self.conditions,
            "what happened": self.user_message,
            "what to do": self.suggested_action,
        }
        if self.examples:
            shown["examples"] = list(map(_example, self.examples))
        return shown


def _example(example: str | Example) -> str:
    """The message, after the facts that come with it."""
    if isinstance(example, str):
        return example
    facts = msgspec.structs.asdict(example)
    message = facts.pop("message")
    given = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    return f"{given}: {message}" if given else message


def _place_and_standing(listed: ListedRule) -> dict[str, Any]:
    rule = listed.rule
    return {
        "name": rule.name,
        "category": rule.category,
        "retry": rule.retry,
        "priority": rule.priority,
        "fallback": rule.fallback,
        "pipelines": rule.pipelines,
        "origin": "bundled" if listed.bundled else "own",
        "file": listed.file,
        "line": listed.line,
        "state": listed.state,
    }
