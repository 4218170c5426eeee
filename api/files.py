"""The files of an ingestion: which failed and why, and what a person decides about them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response import Stream
from msgspec import Meta

from api.description import Content
from api.filters import Limit, PathCursor
from api.ingestions import IngestionName, find
from api.listed import Excel, ListFormat, a_list, listed
from api.query import Path, Query, Text, one_of
from api.routes import commands, reads
from api.schemas.ingestions import ChosenFiles, FileDecision, FileDetail, FileList, FilesToRetry
from api.streaming import stream
from daemon.clock import Clock
from daemon.config import Settings
from daemon.durable import open_regular
from daemon.errors import NotFound
from daemon.operations.files import FileOperations
from daemon.pipelines.ingest.folder import InputFolder
from daemon.store.ledgers.files.reading import FileFilter, Files
from daemon.taxonomy import CATEGORY_ALIASES, Category, FileStatus

_CHUNK = 256 * 1024


class FileQuery(Query, frozen=True, kw_only=True):
    """Which files."""

    status: Annotated[str | None, one_of(FileStatus, "Only those that stand so.")] = None
    category: Annotated[
        str | None,
        one_of([*Category, *CATEGORY_ALIASES], "Only of this category, or its older name."),
    ] = None
    retryable: Annotated[
        bool | None, Meta(description="Only those that a retry may help, or only the others.")
    ] = None
    q: Annotated[
        Text | None,
        Meta(description="Only with this text in the path, in any case."),
    ] = None
    limit: Limit = 50
    cursor: PathCursor = None
    format: ListFormat = None
    excel: Excel = False

    def filter(self) -> FileFilter:
        """The filter of the store."""
        return FileFilter(
            status=self.status,
            category=CATEGORY_ALIASES.get(self.category or "", self.category),
            retryable=self.retryable,
            q=self.q,
        )


class DownloadQuery(Query, frozen=True, kw_only=True):
    """Which file."""

    path: Annotated[Path, Meta(description="Path of a tracked file.")]


@reads(
    "/api/ingestions/{name:str}/files",
    FileQuery,
    summary="The files of an ingestion",
    operation_id="listFiles",
    content=a_list(FileList),
)
def list_files(
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    files: NamedDependency[Files],
    name: IngestionName,
    request: Request[Any, Any, Any],
    wanted: NamedDependency[FileQuery],
) -> Response[Any]:
    """The files that it tracks, with why they failed and what to do about it."""
    find(settings, name)
    page = files.page(name, wanted.filter(), wanted.limit, wanted.cursor)
    answered = FileList(
        files=[FileDetail.of(record) for record in page.files],
        total_files=page.total,
        next_cursor=page.next_cursor,
        timestamp=clock.now(),
    )
    return listed(request, wanted, answered, answered.files, FileDetail)


@commands(
    "/api/ingestions/{name:str}/files/retry",
    action="files.retry",
    status_code=202,
    summary="Read files again",
    operation_id="retryFiles",
)
def retry(
    file_operations: NamedDependency[FileOperations],
    name: IngestionName,
    data: JSONBody[FilesToRetry | None] = None,
) -> FileDecision:
    """Reads files again whether or not they changed: those named, or all that failed."""
    paths = data.paths if data else None
    return FileDecision.of(file_operations.retry(name, paths))


@commands(
    "/api/ingestions/{name:str}/files/quarantine",
    action="files.quarantine",
    status_code=200,
    summary="Set files aside",
    operation_id="quarantineFiles",
)
def quarantine(
    file_operations: NamedDependency[FileOperations],
    name: IngestionName,
    data: JSONBody[ChosenFiles],
) -> FileDecision:
    """Copies files aside with a manifest and leaves them alone until they are released."""
    return FileDecision.of(file_operations.quarantine(name, data.paths))


@commands(
    "/api/ingestions/{name:str}/files/ignore",
    action="files.ignore",
    status_code=200,
    summary="Ignore files",
    operation_id="ignoreFiles",
)
def ignore(
    file_operations: NamedDependency[FileOperations],
    name: IngestionName,
    data: JSONBody[ChosenFiles],
) -> FileDecision:
    """Leaves files alone, changed or not, until they are released."""
    return FileDecision.of(file_operations.ignore(name, data.paths))


@commands(
    "/api/ingestions/{name:str}/files/release",
    action="files.release",
    status_code=200,
    summary="Release files",
    operation_id="releaseFiles",
)
def release(
    file_operations: NamedDependency[FileOperations],
    name: IngestionName,
    data: JSONBody[ChosenFiles],
) -> FileDecision:
    """Brings files back that were set aside or ignored, and reads them again."""
    return FileDecision.of(file_operations.release(name, data.paths))


@reads(
    "/api/ingestions/{name:str}/files/download",
    DownloadQuery,
    role="operate",
    summary="Download a file",
    operation_id="downloadFile",
    content=Content(bytes, "The file as it is now.", "application/octet-stream"),
)
def download(
    settings: NamedDependency[Settings],
    files: NamedDependency[Files],
    name: IngestionName,
    wanted: NamedDependency[DownloadQuery],
) -> Stream:
    """The content of a tracked file; no other file can be had."""
    source = find(settings, name)
    files.get(name, wanted.path)
    place = InputFolder(settings.base, source.files).resolve(wanted.path)
    file_name = PurePosixPath(wanted.path).name
    return stream(_content(os.path.realpath(place)), "application/octet-stream", file_name)


def _content(place: str) -> Iterator[bytes]:
    try:
        file = open_regular(place, os.O_NOFOLLOW)
    except OSError:
        raise NotFound("the file is no longer there, or cannot be read") from None
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
