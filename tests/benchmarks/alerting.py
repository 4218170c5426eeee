"""How long it takes from a failure to its notification, with real Prometheus and Alertmanager."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Bench, Figure, limited, median, reported
from tests.support.alerting import Alerting, Mailbox, alerting, mailbox, missing_servers
from tests.support.product import Product, wait_for

REACH_SECONDS = 5
NAME = "TriagedAuthenticationFailing"


def measure(bench: Bench) -> Iterator[Figure]:
    """Seconds from the stored failure, or success, to the receiver, at 1 s scrape and evaluation."""
    if missing := missing_servers():
        raise RuntimeError(f"not installed: {', '.join(missing)}")
    failing, resolved = [], []
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        product = Product(Path(name))
        try:
            with mailbox(product) as account:
                product.start()
                with alerting(product, Path(name)) as stack:
                    wait_for(stack.prometheus.firing)
                    for number in range(3 if bench.quick else 7):
                        bench.say(f"failure {number + 1}")
                        failing.append(_seconds_to_fire(product, account, stack))
                        resolved.append(_seconds_to_resolve(account, stack))
                    evaluation = sum(rule["evaluationTime"] for rule in stack.prometheus.rules())
        finally:
            product.kill()
            product.http.close()
    yield limited("failure to Alertmanager's receiver, worst", max(failing), "s", REACH_SECONDS)
    yield reported("  median", median(failing), "s")
    yield limited("success to its receiver, worst", max(resolved), "s", REACH_SECONDS)
    yield reported("evaluation of all rules", evaluation * 1000, "ms")


def _seconds_to_fire(product: Product, account: Mailbox, stack: Alerting) -> float:
    stack.receiver.alerts.clear()
    account.refuse()
    wait_for(lambda: product.failures(category="auth", status="open"))
    begun = time.perf_counter()
    wait_for(lambda: stack.receiver.told(NAME, "firing", "authentication"))
    return time.perf_counter() - begun


def _seconds_to_resolve(account: Mailbox, stack: Alerting) -> float:
    account.correct()
    begun = time.perf_counter()
    wait_for(lambda: stack.receiver.told(NAME, "resolved", "authentication"))
    return time.perf_counter() - begun
