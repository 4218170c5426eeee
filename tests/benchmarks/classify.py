"""How fast messages are classified, beside a loop over the same patterns compiled one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from daemon.events import ErrorInfo
from daemon.triage import Triage, describe
from daemon.triage.rules.files import load_rules
from daemon.triage.rules.rule import by_standing
from tests.benchmarks import child
from tests.benchmarks.figures import Bench, Figure, compared, median, reported, seconds
from tests.benchmarks.machine import memory
from tests.benchmarks.messages import messages, unlike_messages

CORPORA = Path(__file__).parents[1] / "corpus"
REPETITIONS = 5
LOOPED = 40
"""The loop is given one message in so many, from the first to the last."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Messages a second. The loop stops at the first pattern that is found."""
    triage = Triage.load()
    like = list(messages(bench.size(20_000)))
    real = real_messages()
    kinds = {
        "classify": like,
        "  the same 28 with a word that differs": list(unlike_messages(len(like))),
        f"  {len(real):,} real messages": real,
    }
    compiled = [
        re.compile(pattern, re.IGNORECASE | re.MULTILINE)
        for rule in by_standing(load_rules(None))
        for pattern in rule.patterns
    ]
    for name, texts in kinds.items():
        bench.say(name)
        yield _beside_loop(name, triage, texts, compiled)
    grown = child.call(__name__, "growth")
    yield reported("  memory that they take, of real ones", grown, "MB")


def _beside_loop(
    name: str, triage: Triage, texts: Sequence[str], compiled: list[re.Pattern[str]]
) -> Figure:
    errors = [describe(text) for text in texts]
    few = texts[::LOOPED]

    def loop() -> None:
        for text in few:
            next((pattern for pattern in compiled if pattern.search(text)), None)

    _classify(triage, errors)
    ours, peer = [], []
    for _ in range(REPETITIONS):
        ours.append(len(errors) / seconds(partial(_classify, triage, errors)))
        peer.append(len(few) / seconds(loop))
    beside = (f"a loop over {len(compiled)} patterns", median(peer))
    return compared(name, median(ours), "messages/s", beside, least=50)


def growth() -> float:
    """By how many MB a process grows in which all real messages are classified."""
    triage = Triage.load()
    errors = [describe(text) for text in real_messages()]
    before = memory().own
    _classify(triage, errors * 2)
    return memory().own - before


def real_messages() -> list[str]:
    """Messages as programs wrote them, no two of them alike."""
    lines = (line for file in sorted(CORPORA.glob("*.jsonl")) for line in file.open("rb"))
    return list(dict.fromkeys(json.loads(line)["message"] for line in lines))


def _classify(triage: Triage, errors: Sequence[ErrorInfo]) -> None:
    for error in errors:
        triage.classify(error, "mail")
