"""Retry operations and what they failed on, as tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from rich.table import Table
from rich.text import Text

from api.schemas.retries import RetryFailure, RetryOperation
from daemon.cli.terminal import cell, local, make_table, number, stacked, status_cell

NUMBERS = ("Items", "Done", "OK", "Failed", "Not tried")
_LEFT_OUT = {
    "not_retryable": "a retry cannot help (--include-not-retryable retries them all the same)",
    "resolved": "a later attempt succeeded",
    "set_aside": "quarantined or ignored",
    "superseded": "failed again since, for another cause",
    "in_other_operation": "another retry has still to do them",
}


def preview_lines(preview: RetryOperation) -> Iterator[str]:
    """What a retry comes to, in sentences."""
    totals = preview.totals
    yield (
        f"{number(totals.to_retry)} of {number(totals.selected)} items to retry, which "
        f"{number(totals.failures)} failures belong to."
    )
    for name, why in _LEFT_OUT.items():
        if count := getattr(totals.left_out, name):
            yield f"  left out: {number(count)}, {why}"


def sources_table(operation: RetryOperation) -> Table:
    """What is retried by source."""
    table = make_table("Source", "Items", right=("Items",))
    for source in operation.sources:
        table.add_row(cell(f"{source.pipeline}/{source.source}"), number(source.to_retry))
    return table


def retries_table(operations: Iterable[RetryOperation]) -> Table:
    """Operations with what came of them."""
    table = make_table("Asked", "Retry", "State", *NUMBERS, right=NUMBERS)
    table.columns[1].ratio = 1
    for operation in operations:
        totals = operation.totals
        counts = (totals.to_retry, totals.done, totals.succeeded)
        table.add_row(
            cell(local(operation.asked_at)) if operation.asked_at else "",
            stacked(cell(operation.id, "bold"), _asked(operation)),
            stacked(status_cell(operation.state or ""), cell(operation.state_text, "dim")),
            *map(number, (*counts, totals.failed_again, totals.not_retried)),
        )
    return table


def _asked(operation: RetryOperation) -> Text:
    chosen = msgspec.json.encode(operation.selection).decode()
    return cell(f"{operation.asked_by}: {chosen}", "dim")


def retry_failures_table(failures: Iterable[RetryFailure]) -> Table:
    """What a retry failed on, with the failures to look at."""
    table = make_table("Item", "Outcome", "Category", "Failure", right=("Failure",))
    table.columns[0].ratio = 1
    for failure in failures:
        table.add_row(
            stacked(cell(f"{failure.pipeline}/{failure.source}", "dim"), cell(failure.item)),
            stacked(status_cell(failure.outcome), cell(failure.reason_text, "dim")),
            cell(failure.error_category, "bold"),
            "" if failure.new_failure_id is None else str(failure.new_failure_id),
        )
    return table
