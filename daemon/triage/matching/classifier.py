"""Which rule recognises an error: one scan of the text, one look-up for each structured fact."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from daemon import events
from daemon.triage.matching.conditions import (
    NO_FACTS,
    ErrorFacts,
    conditions_of,
    facts_of,
    kinds_of,
)
from daemon.triage.matching.numbers import shape
from daemon.triage.matching.patterns import DigitPatterns, PatternIndex, Searched, first_match
from daemon.triage.rules.rule import EMPTY, UNMATCHED, Rule, by_standing

_HEAD, _TAIL = 8192, 4096
_REMEMBERED = 256
"""Shapes of texts whose rules are kept: what breaks a thousand items says nearly the same each time."""
_SEEN = 1024
"""Shapes of which it is known that they came once: one that comes only once is not kept."""
_LONGEST_REMEMBERED = 640
"""Characters of a text whose shape may be kept, so that they come to a quarter of a megabyte."""


class Classifier:
    """The rules, indexed. Any number of threads may use it at the same time.

    What it remembers of earlier texts makes it faster and changes no answer.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = by_standing(rules)
        """In the order in which they are considered: a rule's place owns its patterns."""
        self._kinds = [kinds_of(rule) for rule in self.rules]
        self.by_fact: dict[tuple[str, object], list[int]] = defaultdict(list)
        """The ranks of the rules that ask for a structured fact."""
        for rank, rule in enumerate(self.rules):
            for fact in conditions_of(rule):
                self.by_fact[fact].append(rank)
        expressions = [pattern for rule in self.rules for pattern in rule.patterns]
        owners = array("I", (n for n, rule in enumerate(self.rules) for _ in rule.patterns))
        self.patterns = PatternIndex(expressions, owners)
        self._digits = DigitPatterns(expressions, owners)
        self._seen = array("q", bytes(8 * _SEEN))
        self._remembered = lru_cache(_REMEMBERED)(self._weigh)

    def classify(self, error: events.ErrorInfo, pipeline: str) -> Rule:
        """The rule that says what the error is; the one named ``unmatched`` when none does.

        The message is looked at first, then, because a wrapper often says nothing, the lines of its
        traceback that name the causes, innermost first.
        """
        rule = self._match(error, error.message, pipeline)
        if rule is None and error.text:
            for line in cause_lines(error.text):
                if rule := self.match_text(line, pipeline):
                    return rule
        if rule is None:
            return UNMATCHED if error.message.strip() else EMPTY
        return rule

    def match_text(self, text: str, pipeline: str) -> Rule | None:
        """The first rule that is met by the text alone."""
        return self._first(text, NO_FACTS, pipeline)

    def _match(self, error: events.ErrorInfo, text: str, pipeline: str) -> Rule | None:
        return self._first(with_codes(error, text), ErrorFacts.of(error), pipeline)

    def _first(self, text: str, facts: ErrorFacts, pipeline: str) -> Rule | None:
        """The first rule, by standing, that each of its kinds is met for."""
        searched = searched_text(text)
        if len(searched) <= _LONGEST_REMEMBERED:
            key = (shape(searched), facts, pipeline)
            if self._seen_before(key):
                return self._remembered(*key).answer(searched)
        return self._search(searched, facts, pipeline)

    def _seen_before(self, key: tuple[str, ErrorFacts, str]) -> bool:
        """Whether it is worth remembering. A clash of hashes only makes that happen too early."""
        number = hash(key)
        place = number % _SEEN
        if self._seen[place] == number:
            return True
        self._seen[place] = number
        return False

    def _search(self, searched: str, facts: ErrorFacts, pipeline: str) -> Rule | None:
        text = Searched.of(searched)
        found = self.patterns.candidates(text)
        for rank in self._met(found, facts, pipeline):
            rule = self.rules[rank]
            if not rule.patterns or self.patterns.any_in(found.get(rank, ()), text):
                return rule
        return None

    def _weigh(self, form: str, facts: ErrorFacts, pipeline: str) -> _Weighed:
        """What the shape of a text says, which is the same for all texts of that shape."""
        text = Searched.of(form)
        found, possible = self.patterns.candidates(text), self._digits.possible(text)
        by_digits: list[tuple[Rule, str]] = []
        otherwise = None
        for rank in self._met({*found, *possible}, facts, pipeline):
            rule = self.rules[rank]
            alike = [number for number in found.get(rank, ()) if number not in self._digits]
            if not rule.patterns or self.patterns.any_in(alike, text):
                otherwise = rule
                break
            by_digits += ((rule, pattern.expression) for pattern in possible.get(rank, ()))
        rules, patterns = zip(*by_digits, strict=True) if by_digits else ((), ())
        return _Weighed(rules, patterns, otherwise)

    def _met(self, found: Collection[int], facts: ErrorFacts, pipeline: str) -> Iterator[int]:
        """The ranks of rules for the pipeline whose facts are met, patterns `found` or not asked for."""
        met: dict[int, set[str]] = {}
        for fact in facts_of(facts):
            for rank in self.by_fact.get(fact, ()):
                met.setdefault(rank, set()).add(fact[0])
        for rank in sorted({*met, *found} if met else found):
            if self._kinds[rank] == met.get(rank, _NOTHING) and applies(self.rules[rank], pipeline):
                yield rank


class _Weighed(NamedTuple):
    """Which rules the texts of one shape may be answered by."""

    by_digits: tuple[Rule, ...]
    """Those that count only where a pattern matches the digits that are there, in order."""
    patterns: tuple[str, ...]
    """Of each of those the pattern."""
    otherwise: Rule | None

    def answer(self, searched: str) -> Rule | None:
        """The rule for one text of the shape."""
        if self.patterns and (place := first_match(self.patterns, searched)) is not None:
            return self.by_digits[place]
        return self.otherwise


_NOTHING: frozenset[str] = frozenset()


def applies(rule: Rule, pipeline: str) -> bool:
    """Whether it is for errors of the pipeline."""
    return not rule.pipelines or pipeline in rule.pipelines


def with_codes(error: events.ErrorInfo, text: str) -> str:
    """The text with the codes that came beside it, so that a rule finds them wherever they were."""
    codes = [f"[{c}]" for c in (error.imap_code, error.error_class) if c and c not in text]
    return " ".join([*codes, text]) if codes else text


def searched_text(text: str) -> str:
    """The text that patterns look at: of a long one the beginning and the end, where it says what it is.

    Mail programs and log files break lines anywhere, so a text of several lines is there as one too.
    """
    if len(text) > _HEAD + _TAIL:
        text = f"{text[:_HEAD]}\n{text[-_TAIL:]}"
    return f"{text}\n{' '.join(text.split())}" if "\n" in text else text


def cause_lines(text: str) -> Iterator[str]:
    """The messages of a chained traceback, innermost cause first; never its lines of source code."""
    for line in text[: _HEAD * 4].splitlines():
        if line and not line[0].isspace() and not line.startswith("Traceback "):
            yield line
