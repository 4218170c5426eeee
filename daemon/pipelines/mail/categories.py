"""Header rules: what they can ask of a message, and which one decides. They are data, kept in TOML.

A rule matches when all of its conditions hold; a condition holds for any one of its values. Texts are
compared in any case. Patterns are RE2 regular expressions, found anywhere in a field.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from daemon.config.schema import ConfigTable
from daemon.pipelines.mail.config import CategoryName, LabelName
from daemon.pipelines.mail.errors import HeadersTooLong
from daemon.pipelines.mail.headers import Headers
from daemon.triage.matching.patterns import search_set

RuleName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_]{0,47}$",
        description="a rule's name of at most 48 lower-case letters, digits and _",
    ),
]
Text = Annotated[str, Meta(min_length=1, max_length=1000)]
Domain = Annotated[
    str,
    Meta(pattern=r"^[^@\s.][^@\s]*[^@\s.]$", description='a domain, such as "example.com"'),
]

USER_PRIORITY = 100
"""What a rule has unless it says otherwise: above all bundled ones."""


class HeaderCondition(ConfigTable, frozen=True, kw_only=True):
    """What is asked of one header field. Without `present = false` the field has to be there."""

    header: str
    """Name of the field; one of those that are fetched."""
    present: bool = True
    """Whether the field is there at all."""
    equals: tuple[Text, ...] = ()
    contains: tuple[Text, ...] = ()
    matches: tuple[Text, ...] = ()
    not_matches: tuple[Text, ...] = ()
    """Patterns none of which may be found."""

    @property
    def asks(self) -> bool:
        """Whether it looks at the field's value."""
        return bool(self.equals or self.contains or self.matches or self.not_matches)


class CategoryRule(ConfigTable, frozen=True, kw_only=True):
    """One way to tell that a message is of a category."""

    name: RuleName
    category: CategoryName
    priority: int = USER_PRIORITY
    """Higher is considered first; of equals the one whose name comes first."""
    headers: tuple[HeaderCondition, ...] = ()
    sender_domains: tuple[Domain, ...] = ()
    """Domains of the sender's address; subdomains count as well."""
    label: LabelName | None = None
    """Label for what this rule matches, in place of the category's."""


class _Conditions:
    """A condition with its patterns compiled."""

    def __init__(self, condition: HeaderCondition) -> None:
        self._header = condition.header
        self._present = condition.present
        self._equals = {text.casefold() for text in condition.equals}
        self._contains = tuple(text.casefold() for text in condition.contains)
        self._matches = search_set(*condition.matches) if condition.matches else None
        self._not_matches = search_set(*condition.not_matches) if condition.not_matches else None
        self._asks = condition.asks

    def hold(self, headers: Headers) -> bool | None:
        """Whether the condition holds; None when that depends on what was not read of the field."""
        if not headers.has(self._header):
            return not self._present if headers.whole(self._header) else None
        if not self._present or not self._asks:
            return self._present
        value = headers.seen(self._header) or ""
        folded, searched = value.casefold(), value.encode()
        if self._not_matches is not None and self._not_matches.Match(searched):
            return False
        met = (
            (not self._equals or folded in self._equals)
            and (not self._contains or any(text in folded for text in self._contains))
            and (self._matches is None or bool(self._matches.Match(searched)))
        )
        if headers.whole(self._header) or (met and not self._equals and self._not_matches is None):
            return met
        return None


class HeaderRules:
    """Rules in the order in which they are considered. Threads may share it."""

    def __init__(self, rules: Iterable[CategoryRule]) -> None:
        self.rules: Sequence[CategoryRule] = sorted(rules, key=lambda r: (-r.priority, r.name))
        self._conditions = [tuple(map(_Conditions, rule.headers)) for rule in self.rules]
        self._domains = [frozenset(map(str.lower, rule.sender_domains)) for rule in self.rules]

    def match(self, headers: Headers) -> CategoryRule | None:
        """The first rule that the message meets.

        Raises `HeadersTooLong` when which one that is depends on what was not read of the message.
        """
        for rule, domains, conditions in zip(
            self.rules, self._domains, self._conditions, strict=True
        ):
            if domains and domains.isdisjoint(headers.sender_domains):
                if headers.sender_domain or headers.whole("from"):
                    continue
                raise HeadersTooLong
            held = [condition.hold(headers) for condition in conditions]
            if False not in held:
                if None in held:
                    raise HeadersTooLong
                return rule
        return None


class CategoryChoice(msgspec.Struct, frozen=True):
    """What a message is, what said so, and the label it gets."""

    category: str
    rule: str
    """Name of the rule, or `own`, `model` or `fallback`."""
    label: str | None
    """None when nothing is written."""
