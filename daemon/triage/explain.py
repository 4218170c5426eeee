"""Why an error was taken for what it is: what matched, what stood lower, and what nearly matched.

For authors of rules. It looks at every rule one by one, so it is slow beside classification, whose
answer it never changes: a test compares the two.
"""

from __future__ import annotations

import errno as errno_numbers
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import re2

from daemon import events
from daemon.triage.masking.redaction import mask
from daemon.triage.matching.classifier import (
    Classifier,
    applies,
    cause_lines,
    searched_text,
    with_codes,
)
from daemon.triage.matching.conditions import ErrorFacts, conditions_of, facts_of, kinds_of
from daemon.triage.matching.literals import needs
from daemon.triage.matching.patterns import FLAGS, Pattern, Searched
from daemon.triage.rules.rule import Rule, RuleStanding
from daemon.truncation import MAX_INPUT_CHARS, clip

MOST = 5
"""How many rules of each sort are told."""
_AROUND, _LONGEST_PIECE = 40, 160


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that is met, and by what."""

    kind: str
    """``patterns``, ``http_status``, ..."""
    condition: str
    """The pattern or value that the rule states."""
    found: str | None = None
    """For a pattern the part of the masked text that it matches, with ``>>`` and ``<<`` around it;
    None when masking hides that part."""


class Considered(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with what speaks for it, and why it is not the answer."""

    rule: str
    category: str
    why: str
    """Empty for the rule that answers."""
    evidence: list[Evidence]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer came about. Each list holds at most five, those considered first foremost."""

    looked_at: str
    """``message``, or ``traceback`` when a line of it named the cause."""
    matched: Considered | None
    lower: list[Considered]
    """Rules that match too."""
    nearly: list[Considered]
    """Rules that something speaks for, and what they lack: another condition or the pipeline."""
    words_only: list[Considered]
    """Rules with the words of a pattern in the text, though the pattern does not match."""


class _Text(NamedTuple):
    """A text as it is searched and as it may be shown."""

    searched: Searched
    shown: str
    looked_at: str

    @classmethod
    def of(cls, text: str, looked_at: str) -> _Text:
        shown = searched_text(mask(clip(text, MAX_INPUT_CHARS)))
        return cls(Searched.of(searched_text(text)), shown, looked_at)


class _Weighed(NamedTuple):
    """A rule with the kinds of conditions that are met."""

    rule: Rule
    evidence: list[Evidence]
    missing: list[str]
    """Kinds that are not met."""
    applies: bool
    """Whether it is for this pipeline."""
    close: list[Pattern]
    """Patterns whose words are there although they do not match."""

    @property
    def matches(self) -> bool:
        return not self.missing and self.applies


def explain(classifier: Classifier, error: events.ErrorInfo, pipeline: str) -> Explanation:
    """How the classifier comes to its answer for the error."""
    message = _Text.of(with_codes(error, error.message), "message")
    weighed = _weigh_all(classifier, message, set(facts_of(ErrorFacts.of(error))), pipeline)
    if not _any_matches(weighed):
        for line in cause_lines(error.text):
            text = _Text.of(line, "traceback")
            for_text = _weigh_all(classifier, text, set(), pipeline)
            if _any_matches(for_text):
                return _explanation(text, for_text)
    return _explanation(message, weighed)


def _weigh_all(
    classifier: Classifier, text: _Text, facts: set[tuple[str, object]], pipeline: str
) -> list[_Weighed]:
    """Every rule for which anything speaks, in the order in which they are considered."""
    candidates = classifier.patterns.candidates(text.searched)
    asked_for = {rank for fact in facts for rank in classifier.by_fact.get(fact, ())}
    return [
        _weigh(
            classifier.rules[rank],
            text,
            facts,
            [classifier.patterns[number] for number in candidates.get(rank, ())],
            pipeline,
        )
        for rank in sorted(asked_for | candidates.keys())
    ]


def _any_matches(weighed: Sequence[_Weighed]) -> bool:
    return any(each.matches for each in weighed)


def _weigh(
    rule: Rule,
    text: _Text,
    facts: set[tuple[str, object]],
    candidates: list[Pattern],
    pipeline: str,
) -> _Weighed:
    met = [(kind, value) for kind, value in conditions_of(rule) if (kind, value) in facts]
    evidence = [Evidence(kind=kind, condition=_shown(kind, value)) for kind, value in met]
    kinds = {kind for kind, _ in met}
    matching = next((pattern for pattern in candidates if pattern.is_in(text.searched)), None)
    if matching is not None:
        kinds.add("patterns")
        expression = matching.expression
        evidence.append(
            Evidence(kind="patterns", condition=expression, found=_piece(expression, text.shown))
        )
    wanted = kinds_of(rule) | ({"patterns"} if rule.patterns else set())
    return _Weighed(
        rule=rule,
        evidence=evidence,
        missing=sorted(wanted - kinds),
        applies=applies(rule, pipeline),
        close=[] if matching else candidates,
    )


def _shown(kind: str, value: object) -> str:
    """A condition as rules state it."""
    names = errno_numbers.errorcode if kind == "errno" else {}
    return names.get(value, str(value)) if isinstance(value, int) else str(value)


def _piece(expression: str, shown: str) -> str | None:
    """Where the pattern matches the masked text, with a little of what is around it."""
    found = re2.search(f"{FLAGS}{expression}", shown)
    if found is None:
        return None
    start, end = found.span()
    before = shown[max(0, start - _AROUND) : start]
    after = shown[end : end + _AROUND]
    piece = shown[start:end]
    if len(piece) > _LONGEST_PIECE:
        piece = f"{piece[: _LONGEST_PIECE // 2]} … {piece[-_LONGEST_PIECE // 2 :]}"
    return f"{before}>>{piece}<<{after}"


def _explanation(text: _Text, weighed: Sequence[_Weighed]) -> Explanation:
    matching = [each for each in weighed if each.matches]
    lower = [_considered(each, _why_lower(each.rule, matching[0].rule)) for each in matching[1:]]
    return Explanation(
        looked_at=text.looked_at,
        matched=_considered(matching[0], "") if matching else None,
        lower=lower[:MOST],
        nearly=list(_nearly(weighed)),
        words_only=list(_words_only(text, weighed)),
    )


def _considered(weighed: _Weighed, why: str) -> Considered:
    rule = weighed.rule
    return Considered(rule=rule.name, category=rule.category, why=why, evidence=weighed.evidence)


def _why_lower(rule: Rule, first: Rule) -> str:
    """The first thing that decides between the two."""
    ours, theirs = RuleStanding.of(rule), RuleStanding.of(first)
    if ours.fallback != theirs.fallback:
        return "it is a fallback"
    if ours.text_only != theirs.text_only:
        return "it looks at text alone, and facts come before text"
    if ours.below_top != theirs.below_top:
        return f"its priority is {rule.priority}, below {first.priority}"
    return "its priority is the same, and its name comes later"


def _nearly(weighed: Sequence[_Weighed]) -> Iterator[Considered]:
    """Rules with something that speaks for them, a pattern that matches foremost."""
    lacking = [each for each in weighed if each.evidence and not each.matches]
    lacking.sort(key=lambda each: "patterns" in each.missing)
    for each in lacking[:MOST]:
        yield _considered(each, _what_is_missing(each))


def _words_only(text: _Text, weighed: Sequence[_Weighed]) -> Iterator[Considered]:
    """Rules whose words are there, those with the most of them first."""
    lowered = text.searched.lowered
    close = [(_words_found(each, lowered), each) for each in weighed if not each.evidence]
    close.sort(key=lambda found: -sum(map(len, found[0])))
    for words, each in close[:MOST]:
        spoken = ", ".join(f'"{word}"' for word in words)
        pattern = each.close[0].expression
        if len(pattern) > _LONGEST_PIECE:
            pattern = f"{pattern[:_LONGEST_PIECE]} …"
        yield _considered(each, f"the words {spoken} are there, but the pattern is not: {pattern}")


def _what_is_missing(weighed: _Weighed) -> str:
    missing = []
    if weighed.missing:
        missing.append(f"{' and '.join(weighed.missing)} would have to match too")
    if not weighed.applies:
        missing.append(f"it is for {', '.join(weighed.rule.pipelines)} only")
    return "; ".join(missing)


def _words_found(weighed: _Weighed, text: str) -> list[str]:
    """The words of its first pattern that are in the text, longest first."""
    wanted = needs(weighed.close[0].expression).all
    return [max((w for w in words if w in text), key=len, default="") for words in wanted]
