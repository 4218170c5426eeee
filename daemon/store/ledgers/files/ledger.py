"""How the files that ingestions track are stored: one row a file, which its newest run describes."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from daemon.events import Facts, ItemFailed, ItemSucceeded, LedgerChanged, RunEvent
from daemon.pipelines.ingest.facts import FileFacts, FilesMarked
from daemon.store.columns.failures import FailureRow
from daemon.store.ledger import FailureRows, ItemDecision, Ledger, LedgerBatch, Outcome
from daemon.store.ledgers.files import SQL
from daemon.store.ledgers.files.reading import Files
from daemon.store.ledgers.files.rows import FileMarkRow, FileRow
from daemon.store.tables import Tables
from daemon.taxonomy import FailureStatus, FileStatus

_FAILURE_STATUS = {
    FileStatus.RETRYING: FailureStatus.RETRYING,
    FileStatus.QUARANTINED: FailureStatus.QUARANTINED,
    FileStatus.IGNORED: FailureStatus.IGNORED,
}
"""What a mark makes of the failures of a file."""


class FilesBatch(LedgerBatch):
    """What became of files in one batch, or what a person decided about some."""

    def __init__(self) -> None:
        self._outcomes: list[tuple[FileFacts, Outcome]] = []
        self._marks: list[FileMarkRow] = []

    def add(self, facts: Facts, outcome: Outcome) -> None:
        assert isinstance(facts, FileFacts)
        self._outcomes.append((facts, outcome))

    def change(self, facts: Facts, event: LedgerChanged) -> Iterable[ItemDecision]:  # noqa: ARG002
        assert isinstance(facts, FilesMarked)
        marks = [FileMarkRow(facts.pipeline, facts.source, p, facts.status) for p in facts.paths]
        self._marks += marks
        status = _FAILURE_STATUS[facts.status]
        return [ItemDecision(m.pipeline, m.source, m.path, status) for m in marks]

    def write(self, tables: Tables, failure_rows: FailureRows) -> None:
        tables.run(SQL["replace_files"], self._rows(failure_rows))
        tables.run(SQL["mark_files"], self._marks)

    def _rows(self, failure_rows: FailureRows) -> list[FileRow]:
        """What the newest run says of each file: of its causes the first, which is the largest."""
        files: dict[tuple[str, str, str], FileRow] = {}
        for facts, outcome in self._outcomes:
            if isinstance(outcome, ItemSucceeded):
                row = _loaded(facts, outcome)
            else:
                row = _failed(facts, outcome.event, failure_rows(outcome))
            key = (row.pipeline, row.source, row.path)
            before = files.get(key)
            if before is None:
                files[key] = row
            elif before.run_id != row.run_id:
                files[key] = replace(row, arrived_at=row.arrived_at or before.arrived_at)
        return list(files.values())


def _loaded(facts: FileFacts, event: RunEvent) -> FileRow:
    return FileRow(
        pipeline=event.pipeline,
        source=event.source,
        path=facts.path,
        size=facts.size,
        mtime_ns=facts.mtime_ns,
        content_hash=facts.content_hash,
        status=FileStatus.SUCCESS,
        category=None,
        retryable=None,
        user_message=None,
        suggested_action=None,
        error_message=None,
        exception_type=None,
        retry_count=0,
        run_id=event.run_id,
        last_attempt=event.at,
        retry_at=None,
        rows_loaded=facts.rows_loaded,
        rows_rejected=facts.rows_rejected,
        rejects=facts.rejects,
        arrived_at=event.at if facts.arrived else None,
    )


def _failed(facts: FileFacts, event: ItemFailed, failure: FailureRow) -> FileRow:
    return replace(
        _loaded(facts, event),
        status=FileStatus.PARTIAL if event.in_part else FileStatus.FAILED,
        category=failure.category,
        retryable=failure.retryable,
        user_message=failure.user_message,
        suggested_action=failure.suggested_action,
        error_message=failure.error_message,
        exception_type=failure.exception_type,
        retry_count=failure.attempt - 1,
        retry_at=failure.retry_at,
    )


FILES = Ledger(
    name="files",
    batch=FilesBatch,
    of_items=(FileFacts,),
    of_changes=(FilesMarked,),
    reader=Files,
    waiting=SQL["waiting_files"],
)
