"""How often the bundled rules are right, beside what is asked of them and the held-out estimate."""

from __future__ import annotations

from collections.abc import Iterator

from tests.accuracy import HELD_OUT, Score, scores
from tests.benchmarks.figures import Bench, Figure, at_least, reported

REACHES = {"category accuracy": 0.95, "macro-F1": 0.93, "retryable accuracy": 0.95}
"""Of the development sample."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Shares of each corpus."""
    bench.say("classifying")
    found = scores()
    unseen = next((_shares(score) for score in found if score.corpus == HELD_OUT), {})
    for score in found:
        for name, share in _shares(score).items():
            yield _figure(score, name, share, unseen)


def _shares(score: Score) -> dict[str, float]:
    return {
        "category accuracy": score.category,
        "  the first category alone": score.strict,
        "macro-F1": score.macro_f1,
        "retryable accuracy": score.retryable,
        "specific rule": score.specific,
    }


def _figure(score: Score, name: str, share: float, unseen: dict[str, float]) -> Figure:
    title = f"{name}, {score.corpus} ({score.messages})"
    if score.corpus != "dev" or name not in REACHES:
        return reported(title, share, "")
    beside = f"held out: {unseen[name]:.3f}" if unseen else ""
    return at_least(title, share, "", REACHES[name], beside)
