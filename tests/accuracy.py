"""How often the bundled rules are right about messages whose category people judged.

A message may have a second category that is acceptable too; either counts as right. The rules were
written with all corpora but one: only `heldout` says how they do on messages they have not seen, and
of it only those messages count that are not much the same as one of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from daemon.taxonomy import Category
from daemon.triage import Triage, describe
from daemon.triage.facts import builtin_bases
from daemon.triage.grouping import normalise
from daemon.triage.retry import Retry
from daemon.triage.rules.rule import UNMATCHED

CORPORA = Path(__file__).parent / "corpus"
NAMES = ("dev", "mail", "upload", "ingest", "image", "mixed", "heldout")
HELD_OUT = "heldout"

Confusion = Counter[tuple[Category, Category]]
"""How many messages of a category were taken for which."""


class Labelled(msgspec.Struct, frozen=True):
    """A message with the judgement of people."""

    message: str
    category: Category
    retryable: bool
    pipeline: str
    source: str
    """Where it was found: a repository and the number of an issue."""
    exception: str | None = None
    ambiguous: Category | None = None
    """A second category that is acceptable."""


class Score(NamedTuple):
    """How the rules do on a corpus; shares from 0 to 1."""

    corpus: str
    messages: int
    strict: float
    """Answered with the category that was judged first."""
    category: float
    """The same, or with the second one."""
    macro_f1: float
    retryable: float
    specific: float
    """Messages that a rule recognised which is no fallback."""
    confusion: Confusion


def corpora() -> Iterator[tuple[str, list[Labelled]]]:
    """Those that are there, by name."""
    seen: list[Labelled] = []
    for name in NAMES:
        if not (file := CORPORA / f"{name}.jsonl").exists():
            continue
        lines = file.read_bytes().splitlines()
        messages = [msgspec.json.decode(line, type=Labelled) for line in lines]
        yield name, list(unlike(messages, seen)) if name == HELD_OUT else messages
        seen += messages


def unlike(messages: Sequence[Labelled], seen: Sequence[Labelled]) -> Iterator[Labelled]:
    """Those that share neither the normalised message nor the source with any that was seen."""
    texts = {normalise(labelled.message) for labelled in seen}
    sources = {labelled.source for labelled in seen}
    for labelled in messages:
        if labelled.source not in sources and normalise(labelled.message) not in texts:
            yield labelled


def scores() -> list[Score]:
    """Of each corpus that is there."""
    triage = Triage.load()
    return [score(triage, name, messages) for name, messages in corpora()]


def score(triage: Triage, corpus: str, messages: Sequence[Labelled]) -> Score:
    """How the rules do on some messages."""
    confusion: Confusion = Counter()
    strict = retryable = specific = 0
    for labelled in messages:
        error = describe(
            labelled.message,
            exception_type=labelled.exception,
            exception_bases=builtin_bases(labelled.exception),
        )
        rule = triage.classify(error, labelled.pipeline)
        strict += rule.category is labelled.category
        acceptable = rule.category in (labelled.category, labelled.ambiguous)
        confusion[rule.category if acceptable else labelled.category, rule.category] += 1
        retryable += (rule.retry is Retry.YES) == labelled.retryable
        specific += rule.name != UNMATCHED.name and not rule.fallback
    right = sum(n for (label, answer), n in confusion.items() if label == answer)
    return Score(
        corpus=corpus,
        messages=len(messages),
        strict=strict / len(messages),
        category=right / len(messages),
        macro_f1=macro_f1(confusion),
        retryable=retryable / len(messages),
        specific=specific / len(messages),
        confusion=confusion,
    )


def macro_f1(confusion: Confusion) -> float:
    """The mean of the categories' F1, each counting the same however rare it is."""
    categories = {category for pair in confusion for category in pair}
    return sum(_f1(confusion, category) for category in categories) / len(categories)


def _f1(confusion: Confusion, category: Category) -> float:
    right = confusion[category, category]
    labelled = sum(n for (label, _), n in confusion.items() if label == category)
    answered = sum(n for (_, answer), n in confusion.items() if answer == category)
    return 2 * right / (labelled + answered)
