"""Ingestions and the files that they track."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api.schemas import fields
from api.schemas.runs import RunDetail
from api.schemas.standing import StandingDetail
from daemon.operations.files import FilesChanged
from daemon.pipelines.ingest.config import IngestSource
from daemon.standing import SourceStanding
from daemon.store.ledgers.files import reading as stored
from daemon.store.ledgers.files.rows import FileRow
from daemon.taxonomy import CATEGORIES, Category, FileStatus, Group

Mode = Literal["permissive", "failfast"]

MODES: dict[Mode, str] = {
    "permissive": "Good rows are loaded; bad rows are set aside with their reason, to be fixed and "
    "loaded again.",
    "failfast": "A file stops at its first bad record, and nothing of it is loaded.",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 100


class Badge(msgspec.Struct, frozen=True, kw_only=True):
    """An ingestion at a glance."""

    failed_count: Annotated[
        int,
        Meta(description="Files that failed, in whole or in part, not dealt with.", examples=[2]),
    ]
    last_failed_at: Annotated[
        datetime | None, Meta(description="When the last of them was tried; null without any.")
    ]
    top_category: Annotated[
        Category | None,
        Meta(description="The most frequent category; null without any.", examples=["validation"]),
    ]
    retryable_count: Annotated[
        int, Meta(description="How many of them a retry may help.", examples=[1])
    ]
    files: Annotated[int, Meta(description="Files tracked.", examples=[120])]
    success: Annotated[int, Meta(description="Files loaded whole.", examples=[118])]
    partial: Annotated[int, Meta(description="Files of which some rows are bad.", examples=[1])]
    failed: Annotated[int, Meta(description="Files of which nothing is loaded.", examples=[1])]
    retrying: Annotated[int, Meta(description="Files about to be read again.", examples=[0])]
    quarantined: Annotated[int, Meta(description="Files set aside.", examples=[0])]
    ignored: Annotated[int, Meta(description="Files ignored.", examples=[0])]
    rows_loaded: Annotated[int, Meta(description="Rows of these files loaded.", examples=[99000])]
    rows_rejected: Annotated[int, Meta(description="Rows of these files set aside.", examples=[7])]

    @classmethod
    def of(cls, badge: stored.FileCounts) -> Badge:
        """What the store says."""
        values = msgspec.structs.asdict(badge)
        top = values.pop("top_category")
        return cls(top_category=Category(top) if top else None, **values)


class Ingestion(msgspec.Struct, frozen=True, kw_only=True):
    """Files by glob into a table."""

    name: Annotated[str, Meta(description="Name of the ingestion.", examples=["orders"])]
    enabled: Annotated[bool, Meta(description="Whether cycles include it.", examples=[True])]
    files: Annotated[str, Meta(description="Glob of its files.", examples=["inbox/orders/*.csv"])]
    table: Annotated[str, Meta(description="Table that the rows go to.", examples=["orders"])]
    format: Annotated[
        str, Meta(description="Format of the files; `auto` goes by their names.", examples=["auto"])
    ]
    mode: Annotated[Mode, Meta(description="What happens with bad rows.", examples=["permissive"])]
    mode_description: Annotated[
        str, Meta(description="The mode in a sentence.", examples=[MODES["permissive"]])
    ]
    badge: Annotated[Badge, Meta(description="Its files at a glance.")]
    last_run: Annotated[RunDetail | None, Meta(description="Its newest run; null before any.")]
    standing: Annotated[
        StandingDetail,
        Meta(
            description="How it stands: it fails while failures are open, also when later runs skip the files."
        ),
    ]

    @classmethod
    def of(
        cls,
        name: str,
        config: IngestSource,
        badge: stored.FileCounts,
        last_run: RunDetail | None,
        standing: SourceStanding,
    ) -> Ingestion:
        """The configured ingestion and how it stands."""
        return cls(
            name=name,
            enabled=config.enabled,
            files=config.files,
            table=config.table,
            format=config.format,
            mode=config.mode,
            mode_description=MODES[config.mode],
            badge=Badge.of(badge),
            last_run=last_run,
            standing=StandingDetail.of(standing),
        )


class IngestionList(msgspec.Struct, frozen=True, kw_only=True):
    """All ingestions."""

    ingestions: Annotated[list[Ingestion], Meta(description="By name.")]
    timestamp: fields.Timestamp


class FileDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A tracked file: its version, and what came of it."""

    path: Annotated[
        str,
        Meta(
            description="Path below the folder of the ingestion, with forward slashes.",
            examples=["2026/orders-31.csv"],
        ),
    ]
    status: Annotated[FileStatus, Meta(description="Where it stands.", examples=["failed"])]
    category: fields.CategoryOrNone
    group: Annotated[
        Group | None, Meta(description="The coarse side of the category; null without one.")
    ]
    retryable: Annotated[
        bool | None, Meta(description="Whether a retry may help; null when it did not fail.")
    ]
    user_message: fields.UserMessage
    suggested_action: fields.SuggestedAction
    error_message: fields.ErrorMessage
    exception_type: fields.ExceptionType
    retry_count: Annotated[
        int, Meta(description="How many times it failed again after the first.", examples=[0])
    ]
    run_id: Annotated[str, Meta(description="Id of the run that tried it last.")]
    last_attempt: Annotated[datetime, Meta(description="When it was tried last, in UTC.")]
    retry_at: fields.RetryAt
    rows_loaded: Annotated[int, Meta(description="Rows loaded.", examples=[998])]
    rows_rejected: Annotated[int, Meta(description="Rows set aside.", examples=[2])]
    size: Annotated[int, Meta(description="Bytes.", examples=[48211])]
    modified_at: Annotated[datetime, Meta(description="When its content last changed, in UTC.")]
    content_hash: Annotated[
        str, Meta(description="BLAKE2b of its content, 32 hex digits; empty if it was not read.")
    ]
    log_url: fields.LogUrl

    @classmethod
    def of(cls, record: FileRow) -> FileDetail:
        """The stored file."""
        category = Category(record.category) if record.category else None
        return cls(
            path=record.path,
            status=FileStatus(record.status),
            category=category,
            group=CATEGORIES[category].group if category else None,
            retryable=record.retryable,
            user_message=record.user_message,
            suggested_action=record.suggested_action,
            error_message=record.error_message,
            exception_type=record.exception_type,
            retry_count=record.retry_count,
            run_id=record.run_id,
            last_attempt=record.last_attempt,
            retry_at=record.retry_at,
            rows_loaded=record.rows_loaded,
            rows_rejected=record.rows_rejected,
            size=record.size,
            modified_at=_EPOCH + timedelta(microseconds=record.mtime_ns // 1000),
            content_hash=record.content_hash,
            log_url=fields.log_url(record.run_id),
        )


class FileList(msgspec.Struct, frozen=True, kw_only=True):
    """Files that match, by path."""

    files: Annotated[list[FileDetail], Meta(description="This page of them.")]
    total_files: Annotated[int, Meta(description="All that match.", examples=[2])]
    next_cursor: Annotated[
        str | None, Meta(description="Value of `cursor` for the next page; null on the last one.")
    ]
    timestamp: fields.Timestamp


class FileDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a decision about files."""

    count: Annotated[int, Meta(description="Files concerned.", examples=[1])]
    paths: Annotated[
        list[str],
        Meta(description="Their paths, the first 100.", examples=[["2026/orders-31.csv"]]),
    ]
    started: Annotated[
        bool,
        Meta(description="Whether a run began at once; else the next cycle takes the files."),
    ]

    @classmethod
    def of(cls, changed: FilesChanged) -> FileDecision:
        """What the operation says."""
        return cls(count=len(changed.paths), paths=changed.paths[:_SHOWN], started=changed.started)


class ChosenFiles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which files."""

    paths: Annotated[
        list[str],
        Meta(description="Paths as the ingestion tracks them.", min_length=1, max_length=10_000),
    ]


class FilesToRetry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which files to read again."""

    paths: Annotated[
        list[str] | None,
        Meta(description="Paths as the ingestion tracks them; all that failed if not given."),
    ] = None
