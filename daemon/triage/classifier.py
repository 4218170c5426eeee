"""Which rule recognises an error: one scan of the text, one look-up for each structured fact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from daemon import events
from daemon.triage.patterns import Pattern, PatternIndex
from daemon.triage.rules import EMPTY, UNMATCHED, Rule, by_standing

_HEAD, _TAIL = 8192, 4096


class Classifier:
    """The rules, indexed. Immutable; any number of threads may use it at the same time."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = by_standing(rules)
        """In the order in which they are considered: a rule's place owns its patterns."""
        self._kinds = [kinds_of(rule) for rule in self.rules]
        self._facts: dict[tuple[str, object], list[int]] = defaultdict(list)
        for rank, rule in enumerate(self.rules):
            for fact in conditions_of(rule):
                self._facts[fact].append(rank)
        self.patterns = PatternIndex(
            [(pattern, rank) for rank, rule in enumerate(self.rules) for pattern in rule.patterns]
        )

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
        return self._first(text, {}, pipeline)

    def _match(self, error: events.ErrorInfo, text: str, pipeline: str) -> Rule | None:
        met: dict[int, set[str]] = {}
        for fact in facts_of(error):
            for rank in self._facts.get(fact, ()):
                met.setdefault(rank, set()).add(fact[0])
        return self._first(with_codes(error, text), met, pipeline)

    def _first(self, text: str, met: dict[int, set[str]], pipeline: str) -> Rule | None:
        """The first rule, by standing, that each of its kinds is met for."""
        searched = searched_text(text).encode(errors="replace")
        found = self.patterns.candidates(searched)
        for rank in sorted({*met, *found} if met else found):
            rule = self.rules[rank]
            if (
                self._kinds[rank] == met.get(rank, _NOTHING)
                and (not rule.pipelines or pipeline in rule.pipelines)
                and (not rule.patterns or _any_in(found.get(rank, ()), searched))
            ):
                return rule
        return None


_NOTHING: frozenset[str] = frozenset()


def _any_in(patterns: Sequence[Pattern], text: bytes) -> bool:
    return any(pattern.is_in(text) for pattern in patterns)


def kinds_of(rule: Rule) -> frozenset[str]:
    """The kinds of structured facts that it states."""
    return frozenset(kind for kind, _ in conditions_of(rule))


def conditions_of(rule: Rule) -> Iterator[tuple[str, object]]:
    """Kind and value of each structured fact that it asks for."""
    yield from (("exceptions", name) for name in rule.exceptions)
    yield from (("http_status", status) for status in rule.http_statuses())
    yield from (("errno", number) for number in rule.errno_values())
    yield from (("sqlstate", beginning.upper()) for beginning in rule.sqlstate)
    yield from (("error_class", name.upper()) for name in rule.error_class)
    yield from (("imap_code", code.upper()) for code in rule.imap_code)


def facts_of(error: events.ErrorInfo) -> Iterator[tuple[str, object]]:
    """Kind and value of each structured fact, as rules ask for it."""
    if error.exception_type:
        for name in (error.exception_type, *error.exception_bases):
            yield "exceptions", name
            if "." in name:
                yield "exceptions", name.rpartition(".")[2]
    if error.http_status is not None:
        yield "http_status", error.http_status
    if error.errno is not None:
        yield "errno", error.errno
    if error.sqlstate:
        state = error.sqlstate.upper()
        yield from (("sqlstate", state[:length]) for length in range(1, len(state) + 1))
    if error.error_class:
        yield "error_class", error.error_class.upper()
    if error.imap_code:
        yield "imap_code", error.imap_code.upper()


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
