"""Rules: what they can ask of an error and what they say of it. They are data, kept in TOML.

A condition has a *kind* (patterns, exceptions, http_status, ...). A rule matches when each kind it
states is met, and a kind is met by any one of its values. Patterns are RE2 regular expressions,
found anywhere in the message without regard to case; `^` and `$` match at line ends.
"""

from __future__ import annotations

import errno as errno_numbers
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from daemon.taxonomy import Category, RetryStrategy
from daemon.triage.retry import Retry, usual
from daemon.triage.strategy import default_strategy

RuleName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Sentence = Annotated[str, Meta(min_length=1, max_length=400)]
Values = tuple[Annotated[str, Meta(min_length=1)], ...]
HttpStatus = Annotated[int, Meta(ge=100, le=599)] | Annotated[str, Meta(pattern=r"^[1-5]xx$")]

USER_PRIORITY = 100
"""What a rule of the user's has unless it says otherwise: above all bundled ones, which state 0 to 90."""

CONDITIONS = (
    "patterns",
    "exceptions",
    "http_status",
    "errno",
    "sqlstate",
    "error_class",
    "imap_code",
)
"""The kinds of conditions: the fields of a rule of which at least one is given."""


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An error that a rule is meant for, as a program would report it."""

    message: str
    exception: str | None = None
    """Qualified name of the exception's type."""
    pipeline: str | None = None
    """None: the first of the rule's own pipelines, or any."""
    http_status: Annotated[int, Meta(ge=100, le=599)] | None = None
    errno: str | None = None
    """A name, such as ``ENOSPC``."""
    sqlstate: str | None = None
    error_class: str | None = None
    imap_code: str | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of failure: how to recognise it and what to tell the person on call."""

    name: RuleName
    category: Category
    user_message: Sentence
    """What happened. ``{column}`` becomes the column concerned, or "a column"."""
    suggested_action: Sentence
    """What to do about it; ``{column}`` as above."""
    priority: int = USER_PRIORITY
    """Higher is considered first among rules of the same standing."""
    retryable: bool | Literal["unknown"] | None = None
    """None: as the category."""
    strategy: RetryStrategy | None = None
    """None: as the category."""
    fallback: bool = False
    """Considered only when no other rule matches, because its conditions say little by themselves:
    wrapper exceptions, a bare status 400."""

    patterns: Values = ()
    exceptions: Values = ()
    """Names of the exception type or of a base, qualified or only the last part."""
    http_status: tuple[HttpStatus, ...] = ()
    """Numbers, or classes such as ``5xx``."""
    errno: Values = ()
    """Names, such as ``ENOSPC``."""
    sqlstate: Values = ()
    """Beginnings of a SQLSTATE, such as ``08`` or ``57P03``."""
    error_class: Values = ()
    imap_code: Values = ()
    pipelines: Values = ()
    """Applies only to these pipelines; to all when empty."""
    examples: tuple[str | Example, ...] = ()
    """Messages that this rule, and no other, is to answer. Not looked at when errors are classified."""

    @property
    def structured(self) -> bool:
        """Whether it looks at more than the message's text."""
        return any(getattr(self, kind) for kind in CONDITIONS if kind != "patterns")

    @property
    def retry(self) -> Retry:
        """Whether another attempt can help."""
        if self.retryable is None:
            return usual(self.category)
        if self.retryable == "unknown":
            return Retry.UNKNOWN
        return Retry.YES if self.retryable else Retry.NO

    @property
    def waiting(self) -> RetryStrategy:
        """How the waiting times between attempts grow."""
        may_help = self.retry is Retry.YES
        return self.strategy or default_strategy(self.category, retryable=may_help)

    def errno_values(self) -> tuple[int, ...]:
        """The numbers behind the names, on this system."""
        return tuple(getattr(errno_numbers, name) for name in self.errno)

    def http_statuses(self) -> tuple[int, ...]:
        """Every status, classes spelled out."""
        statuses: list[int] = []
        for status in self.http_status:
            if isinstance(status, int):
                statuses.append(status)
            else:
                statuses.extend(range(int(status[0]) * 100, int(status[0]) * 100 + 100))
        return tuple(statuses)


UNMATCHED = Rule(
    name="unmatched",
    category=Category.UNKNOWN,
    user_message="No rule recognises this error.",
    suggested_action=(
        "Read the full log of the run. `triaged unclassified` groups such errors, "
        "and a rule of your own can name this one."
    ),
)
EMPTY = Rule(
    name="unmatched",
    category=Category.UNKNOWN,
    user_message="The error came without any message.",
    suggested_action=(
        "Read the log of the program that failed at the time of the failure, "
        "and let it raise errors that say what went wrong."
    ),
)


class RuleStanding(NamedTuple):
    """Where a rule stands: the least is considered first."""

    fallback: bool
    text_only: bool
    below_top: int
    """The priority with its sign turned."""
    name: str
    """Decides between equals, so that the order of files never does."""

    @classmethod
    def of(cls, rule: Rule) -> RuleStanding:
        """Structured facts before message text, fallbacks last, by priority within each."""
        return cls(rule.fallback, not rule.structured, -rule.priority, rule.name)


def by_standing(rules: Sequence[Rule]) -> list[Rule]:
    """The rules in the order in which they are considered, as a new list."""
    return sorted(rules, key=RuleStanding.of)
