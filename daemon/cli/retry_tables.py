"""Retry operations and what they failed on, as tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from api.schemas.retries import RetryFailure, RetryOperation
from daemon.cli.terminal import (
    cell,
    counted,
    entry,
    in_line,
    local,
    make_table,
    number,
    status_cell,
)

_LEFT_OUT = {
    "not_retryable": "a retry cannot help (--include-not-retryable retries them all the same)",
    "resolved": "a later attempt succeeded",
    "set_aside": "quarantined or ignored",
    "superseded": "failed again since: the newer failure is the one to retry",
    "in_other_operation": "another retry has still to do them",
}


def preview_lines(preview: RetryOperation) -> Iterator[str]:
    """What a retry comes to, in sentences."""
    totals = preview.totals
    yield (
        f"{number(totals.to_retry)} of {counted(totals.selected, 'item')} to retry; the failures asked "
        f"for are {number(totals.failures)}."
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


def retry_entry(operation: RetryOperation) -> Group:
    """An operation with what came of it."""
    totals = operation.totals
    return entry(
        in_line(
            cell(operation.id, "bold"),
            status_cell(operation.state or ""),
            cell(f"asked {local(operation.asked_at)}" if operation.asked_at else ""),
        ),
        cell(
            f"{number(totals.done)} of {counted(totals.to_retry, 'item')} done: "
            f"{number(totals.succeeded)} succeeded, {number(totals.failed_again)} failed again, "
            f"{number(totals.not_retried)} could not be retried"
        ),
        cell("" if operation.ended_at else operation.state_text, "dim"),
        _asked(operation),
    )


def _asked(operation: RetryOperation) -> Text:
    chosen = msgspec.json.encode(operation.selection).decode()
    return cell(f"{operation.asked_by}: {chosen}", "dim")


def retry_failures(failures: Iterable[RetryFailure]) -> Group:
    """What a retry failed on: the failures that were retried, and the newer ones to look at."""
    return Group(
        *(
            entry(
                in_line(
                    cell(f"{failure.pipeline}/{failure.source}"),
                    cell(failure.item, "bold"),
                    status_cell(failure.outcome),
                    cell(failure.error_category),
                    cell(_ids(failure)),
                ),
                cell(failure.reason_text, "dim"),
            )
            for failure in failures
        )
    )


def _ids(failure: RetryFailure) -> str:
    newer = "" if failure.new_failure_id is None else f", newer {failure.new_failure_id}"
    return f"failure {failure.failure_id}{newer}"
