"""What came of one file, and how a run reports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from daemon.pipelines.contract import RunHandle
from daemon.pipelines.ingest.defects import DEFECTS, MISFITS
from daemon.pipelines.ingest.facts import FileFacts
from daemon.pipelines.ingest.rejects import Cause


class Outcome(msgspec.Struct, frozen=True):
    """A file that was loaded, wholly or in part."""

    facts: FileFacts
    causes: Sequence[Cause] = ()
    types: Mapping[str, str] = {}
    """Types of the table's columns by name."""


def report(run: RunHandle, outcome: Outcome) -> None:
    """A success, or one failure for each cause, the one of most rows first."""
    facts = outcome.facts
    if not outcome.causes:
        run.succeed(facts.path, facts=facts)
    for cause in outcome.causes:
        run.fail(
            facts.path,
            _message(cause, outcome.types),
            in_part=facts.rows_loaded > 0,
            row_count=cause.row_count,
            sample_rows=cause.sample_rows,
            column=cause.column,
            error_class=cause.error_class,
            facts=facts,
        )


def _message(cause: Cause, types: Mapping[str, str]) -> str:
    """The cause without any value of the file, in the same words however many rows there are."""
    return f"{_reason(cause, types)} Rows rejected: {cause.row_count:,}."


def _reason(cause: Cause, types: Mapping[str, str]) -> str:
    if cause.error_class in MISFITS and cause.column:
        expected = types.get(cause.column, "value")
        return f"Column {cause.column} does not hold a valid {expected}."
    return f"Not a row: {DEFECTS.get(cause.error_class, cause.error_class.lower())}."
