"""What messages of a megabyte cost, beside messages of a kilobyte that are made alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache, partial

from daemon.triage import Triage, describe
from daemon.triage.matching.literals import needs
from daemon.triage.rules.files import load_rules
from tests.benchmarks.figures import Bench, Figure, compared, median, seconds

KILOBYTE, MEGABYTE = 1 << 10, 1 << 20
MOST = MEGABYTE / KILOBYTE
"""Times a kilobyte's time: no more than in proportion."""
_LINE = "2026-01-31 08:00:00 ERROR worker 7: could not reach the frobnicator, trying again\n"


def measure(bench: Bench) -> Iterator[Figure]:
    """Milliseconds to classify, mask and group a message."""
    triage = Triage.load()
    for name, make in KINDS.items():
        bench.say(name)
        small = _milliseconds(triage, make(KILOBYTE), repetitions=51)
        large = _milliseconds(triage, make(MEGABYTE), repetitions=3 if bench.quick else 5)
        yield compared(f"1 MB of {name}", large, "ms", ("1 KB", small), most=MOST)


def _milliseconds(triage: Triage, text: str, repetitions: int) -> float:
    """Each time with another beginning, since what came before is remembered."""
    times = []
    for number in range(repetitions + 1):
        beginning = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        error = describe(f"{beginning} {text}"[: len(text)])
        assess = partial(triage.assess, error, pipeline="mail", step="processing")
        times.append(seconds(assess) * 1000)
    return median(times[1:])


@cache
def _words() -> str:
    """The words that patterns are found by, as classification looks for them."""
    patterns = (pattern for rule in load_rules() for pattern in rule.patterns)
    found = {word for pattern in patterns for wanted in needs(pattern).all for word in wanted}
    return " ".join(sorted(found))


def _random_words(size: int) -> str:
    chance = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789=:/@.-"
    words = ("".join(chance.choices(letters, k=chance.randint(1, 12))) for _ in range(size // 2))
    return " ".join(words)[:size]


def _repeated(text: str, size: int) -> str:
    return (text * (size // len(text) + 1))[:size]


KINDS: dict[str, Callable[[int], str]] = {
    "random words": _random_words,
    "one line again and again": lambda size: _repeated(_LINE, size),
    "the words of all patterns": lambda size: _repeated(_words(), size),
    "control characters": lambda size: _repeated("".join(map(chr, range(32))), size),
}
"""Texts of a size."""
