"""What a dry run would have done, in a few lines that hold nothing personal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from daemon.pipelines.mail.categories import CategoryChoice


class Tally:
    """Counts decisions by category, label and the rule that decided."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str | None], Counter[str]] = defaultdict(Counter)

    def add(self, decision: CategoryChoice) -> None:
        self._counts[decision.category, decision.label][decision.rule] += 1

    def lines(self) -> Iterator[str]:
        """A line for each category and label, the most frequent last, where a run's last step is seen."""
        by_size = sorted(self._counts.items(), key=lambda entry: (entry[1].total(), entry[0][0]))
        for (category, label), rules in by_size:
            n = rules.total()
            what = "1 message" if n == 1 else f"{n:,} messages"
            why = ", ".join(f"{rule} {count:,}" for rule, count in rules.most_common())
            done = f"label {what} {label}" if label else f"label none of {what}"
            yield f"Dry run: would {done} (category {category}, by {why})"
