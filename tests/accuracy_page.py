"""docs/accuracy.md: how often the bundled rules are right, made by `make docs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from daemon.taxonomy import Category
from tests.accuracy import HELD_OUT, Confusion, Score, scores

_ABOUT = """\
# Accuracy

How often the bundled rules are right about real error messages whose category and retryability people judged
from the text alone. `make docs` makes this page from `tests/corpus`, and a test fails when it is not what the
rules do. `make bench ARGS="--only accuracy"` shows the same beside its limits.

The rules were written with all of these messages but those of `heldout`: no rule was written from them, and
those that say the same as a message of another corpus, or come from the same place, are left out. So the figures
of `heldout` say what to expect of messages that are new, the others how well the rules describe what they were
made for.

"""
_COLUMNS = """\

- **category, strictly**: the category that was judged first.
- **category**: that one, or the second one that was found acceptable.
- **macro-F1**: the mean over categories, so that rare ones count as much as frequent ones.
- **retryable**: whether a retry may help, yes or no; what is not known counts as no.
- **specific rule**: recognised by a rule that is no fallback.

## What is taken for what

Rows are what people judged, columns what the rules answered, in all messages but those of `heldout`. A second
acceptable category that was answered stands in its own row.

"""


def accuracy_page() -> str:
    """The page, whole."""
    found = scores()
    known: Confusion = sum((s.confusion for s in found if s.corpus != HELD_OUT), Counter())
    lines = [*_table(found), _COLUMNS.rstrip("\n"), "", *_matrix(known)]
    return _ABOUT + "\n".join(lines) + "\n"


def _table(found: Sequence[Score]) -> Iterator[str]:
    yield "| corpus | messages | category, strictly | category | macro-F1 | retryable | specific rule |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for score in found:
        shares = (score.strict, score.category, score.macro_f1, score.retryable, score.specific)
        shown = " | ".join(f"{share:.3f}" for share in shares)
        yield f"| `{score.corpus}` | {score.messages} | {shown} |"


def _matrix(confusion: Confusion) -> Iterator[str]:
    present = [c for c in Category if any(c in pair for pair in confusion)]
    yield f"| | {' | '.join(f'`{c}`' for c in present)} |"
    yield f"| --- |{' --- |' * len(present)}"
    for label in present:
        counts = (str(confusion[label, answer] or "") for answer in present)
        yield f"| `{label}` | {' | '.join(counts)} |"
