"""How fast messages are classified, beside a loop over the same patterns compiled one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from daemon.events import ErrorInfo
from daemon.triage import Triage, describe
from daemon.triage.rules.files import load_rules
from daemon.triage.rules.rule import by_standing
from tests.benchmarks.figures import Bench, Figure, compared, median, seconds
from tests.benchmarks.messages import messages, unlike_messages

REPETITIONS = 5


def measure(bench: Bench) -> Iterator[Figure]:
    """Messages a second. The loop stops at the first pattern that is found."""
    triage = Triage.load()
    texts = list(messages(bench.size(20_000)))
    errors = [describe(text) for text in texts]
    unlike = [describe(text) for text in unlike_messages(len(texts))]
    compiled = [
        re.compile(pattern, re.IGNORECASE | re.MULTILINE)
        for rule in by_standing(load_rules(None))
        for pattern in rule.patterns
    ]
    few = texts[: len(texts) // 40]

    def classify(errors: list[ErrorInfo]) -> None:
        for error in errors:
            triage.classify(error, "mail")

    def loop() -> None:
        for text in few:
            next((pattern for pattern in compiled if pattern.search(text)), None)

    classify(errors)
    ours, ours_unlike, peer = [], [], []
    for number in range(REPETITIONS):
        bench.say(f"repetition {number + 1} of {REPETITIONS}")
        ours.append(len(texts) / seconds(partial(classify, errors)))
        ours_unlike.append(len(texts) / seconds(partial(classify, unlike)))
        peer.append(len(few) / seconds(loop))
    loops = (f"a loop over {len(compiled)} patterns", median(peer))
    yield compared("classify", median(ours), "messages/s", loops, least=50)
    yield compared("  no two messages alike", median(ours_unlike), "messages/s", loops, least=50)
