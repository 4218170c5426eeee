"""Where the commands that show things read them: a running daemon, or the store of a stopped one."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from api.schemas.audit import AuditEntry, AuditList
from api.schemas.failures import FailureDetail, FailureList
from api.schemas.groups import FailureGroup, FailureGroupDetail, FailureGroupList
from api.schemas.report import VariableValue
from api.schemas.runs import RunDetail, RunList
from api.schemas.unclassified import UnclassifiedGroup, UnclassifiedList
from daemon.cli.addresses import place_of, url_of
from daemon.cli.client import Client, RequestRefused, make_client
from daemon.cli.known import NameReader
from daemon.cli.main import Exit
from daemon.clock import SystemClock
from daemon.config import Config, Settings
from daemon.errors import NotFound, StoreLocked, StoreUnavailable
from daemon.pipelines.catalog import Catalog
from daemon.pipelines.kinds import KINDS, load_settings
from daemon.store.audit import Audit, AuditFilter, audit_csv
from daemon.store.database import Database
from daemon.store.export import failures_csv
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter
from daemon.store.groups import Groups
from daemon.store.ledger import Ledgers
from daemon.store.report_conditions import Dimension
from daemon.store.report_values import values
from daemon.store.runs import LogLine, RunFilter, Runs
from daemon.store.unmatched import Unmatched
from daemon.taxonomy import GroupState

PAGE = 100
"""The most that the API gives at once."""
ALL = sys.maxsize

Record = TypeVar("Record")
Cursor = str | int | None


class Found(NamedTuple, Generic[Record]):
    """What matches: how many, and the newest of them as they are read."""

    total: int
    records: Iterator[Record]


class Page(NamedTuple, Generic[Record]):
    """Some records, where those after them are, and how many there are."""

    records: list[Record]
    next: Cursor
    total: int


class AnyReader(NameReader, Protocol):
    """What can be read, wherever it is. `limit` counts records, not pages."""

    def failures(self, f: FailureFilter, limit: int) -> Found[FailureDetail]: ...

    def groups(
        self, f: FailureFilter, limit: int, state: GroupState | None = None
    ) -> Found[FailureGroup]: ...

    def unclassified(self, f: FailureFilter, limit: int) -> Found[UnclassifiedGroup]: ...

    def runs(self, f: RunFilter, limit: int) -> Found[RunDetail]: ...

    def failures_csv(self, f: FailureFilter) -> Iterator[bytes]: ...

    def audit(self, f: AuditFilter, limit: int) -> Found[AuditEntry]: ...

    def audit_csv(self, f: AuditFilter) -> Iterator[bytes]: ...

    def log(self, run_id: str) -> Iterator[LogLine]:
        """Of a run, oldest first. Raises `NotFound`."""


class DaemonReader:
    """Asks a running daemon."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def failures(self, f: FailureFilter, limit: int) -> Found[FailureDetail]:
        def page(size: int, cursor: Cursor) -> Page[FailureDetail]:
            path = "/api/processing/failures"
            answer = self._client.get(path, FailureList, **_query(f), limit=size, cursor=cursor)
            return Page(answer.failures, answer.next_cursor, answer.total_failures)

        return follow(page, limit)

    def groups(
        self, f: FailureFilter, limit: int, state: GroupState | None = None
    ) -> Found[FailureGroup]:
        def page(size: int, offset: Cursor) -> Page[FailureGroup]:
            path = "/api/failures/groups"
            answer = self._client.get(
                path, FailureGroupList, **_query(f), state=state, limit=size, offset=offset
            )
            return Page(answer.groups, answer.next_offset, answer.total_groups)

        return follow(page, limit)

    def unclassified(self, f: FailureFilter, limit: int) -> Found[UnclassifiedGroup]:
        scope = {"pipeline": f.pipeline, "since": f.since, "until": f.until}

        def page(size: int, offset: Cursor) -> Page[UnclassifiedGroup]:
            path = "/api/failures/unclassified"
            answer = self._client.get(
                path, UnclassifiedList, **_given(scope), limit=size, offset=offset
            )
            return Page(answer.groups, answer.next_offset, answer.total_groups)

        return follow(page, limit)

    def runs(self, f: RunFilter, limit: int) -> Found[RunDetail]:
        def page(size: int, cursor: Cursor) -> Page[RunDetail]:
            path = "/api/runs"
            answer = self._client.get(path, RunList, **_query(f), limit=size, cursor=cursor)
            return Page(answer.runs, answer.next_cursor, answer.total_runs)

        return follow(page, limit)

    def failures_csv(self, f: FailureFilter) -> Iterator[bytes]:
        return self._client.stream("/api/export/failures.csv", **_query(f))

    def audit(self, f: AuditFilter, limit: int) -> Found[AuditEntry]:
        def page(size: int, cursor: Cursor) -> Page[AuditEntry]:
            path = "/api/audit"
            answer = self._client.get(path, AuditList, **_query(f), limit=size, cursor=cursor)
            return Page(answer.entries, answer.next_cursor, answer.total_entries)

        return follow(page, limit)

    def audit_csv(self, f: AuditFilter) -> Iterator[bytes]:
        return self._client.stream("/api/export/audit.csv", **_query(f))

    def pipelines(self) -> list[str]:
        return self._values("pipeline")

    def sources(self, pipeline: str | None) -> list[str]:
        return self._values("source", pipeline=pipeline)

    def _values(self, of: str, **chosen: str | None) -> list[str]:
        path = "/api/report/variables"
        return [v.value for v in self._client.get(path, list[VariableValue], of=of, **chosen)]

    def require_group(self, group: str) -> None:
        self._require(f"/api/failures/groups/{quote(group, safe='')}", FailureGroupDetail)

    def require_run(self, run_id: str) -> None:
        self._require(f"/api/runs/{quote(run_id, safe='')}", RunDetail)

    def log(self, run_id: str) -> Iterator[LogLine]:
        self.require_run(run_id)
        decoder, rest = msgspec.json.Decoder(LogLine), b""
        for chunk in self._client.stream(f"/api/runs/{quote(run_id, safe='')}/log"):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from map(decoder.decode, filter(None, lines))

    def _require(self, path: str, kind: type[Any]) -> None:
        try:
            self._client.get(path, kind)
        except RequestRefused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise NotFound(error.detail) from None
            raise


class StoreReader:
    """Reads the store itself. The addresses of accounts are not in it, but in the catalog.

    `configured` has the sources of each pipeline, whether or not they ever ran.
    """

    def __init__(
        self,
        database: Database,
        catalog: Catalog | None = None,
        configured: Mapping[str, list[str]] | None = None,
    ) -> None:
        self._database = database
        self._failures = Failures(database.read())
        self._runs = Runs(database)
        self._catalog = catalog or Catalog({})
        self._configured = configured or {}

    def failures(self, f: FailureFilter, limit: int) -> Found[FailureDetail]:
        total = self._failures.total(f)

        def page(size: int, cursor: Cursor) -> Page[FailureDetail]:
            found = self._failures.page(f, size, str(cursor) if cursor else None)
            details = [FailureDetail.of(record, self._catalog) for record in found.failures]
            return Page(details, found.next_cursor, total)

        return follow(page, limit)

    def groups(
        self, f: FailureFilter, limit: int, state: GroupState | None = None
    ) -> Found[FailureGroup]:
        now = SystemClock().now()

        def page(size: int, offset: Cursor) -> Page[FailureGroup]:
            start = int(offset or 0)
            groups, total = self._failures.groups(f, size, start, now=now, state=state)
            after = start + len(groups)
            more = after if groups and after < total else None
            return Page([FailureGroup.of(group) for group in groups], more, total)

        return follow(page, limit)

    def unclassified(self, f: FailureFilter, limit: int) -> Found[UnclassifiedGroup]:
        unmatched = Unmatched(self._database.read())

        def page(size: int, offset: Cursor) -> Page[UnclassifiedGroup]:
            start = int(offset or 0)
            groups, total = unmatched.groups(f, size, start)
            after = start + len(groups)
            more = after if groups and after < total else None
            return Page([UnclassifiedGroup.of(group) for group in groups], more, total)

        return follow(page, limit)

    def runs(self, f: RunFilter, limit: int) -> Found[RunDetail]:
        total = self._runs.total(f)

        def page(size: int, cursor: Cursor) -> Page[RunDetail]:
            found = self._runs.page(f, size, str(cursor) if cursor else None)
            details = [RunDetail.of(record, self._catalog) for record in found.runs]
            return Page(details, found.next_cursor, total)

        return follow(page, limit)

    def failures_csv(self, f: FailureFilter) -> Iterator[bytes]:
        return failures_csv(self._database, f)

    def audit(self, f: AuditFilter, limit: int) -> Found[AuditEntry]:
        audit = Audit(self._database.read())
        total = audit.total(f)

        def page(size: int, cursor: Cursor) -> Page[AuditEntry]:
            found = audit.page(f, size, str(cursor) if cursor else None)
            return Page(
                [AuditEntry.of(record) for record in found.entries], found.next_cursor, total
            )

        return follow(page, limit)

    def audit_csv(self, f: AuditFilter) -> Iterator[bytes]:
        return audit_csv(self._database, f)

    def pipelines(self) -> list[str]:
        return self._values(Dimension.PIPELINE, None)

    def sources(self, pipeline: str | None) -> list[str]:
        return self._values(Dimension.SOURCE, None if pipeline is None else (pipeline,))

    def _values(self, of: Dimension, pipelines: tuple[str, ...] | None) -> list[str]:
        with self._database.read() as reader:
            found = values(reader, of, pipelines=pipelines, configured=self._configured)
        return [value.value for value in found]

    def require_group(self, group: str) -> None:
        with self._database.read() as reader:
            Groups(reader).get(group, SystemClock().now())

    def require_run(self, run_id: str) -> None:
        self._runs.get(run_id)

    def log(self, run_id: str) -> Iterator[LogLine]:
        return self._runs.log(run_id)


def follow(page: Callable[[int, Cursor], Page[Record]], limit: int) -> Found[Record]:
    """All pages up to `limit` records, each read when it is needed."""
    first = page(min(limit, PAGE), None)

    def records() -> Iterator[Record]:
        left, current = limit, first
        while True:
            yield from current.records[:left]
            left -= len(current.records)
            if left <= 0 or current.next is None:
                return
            current = page(min(left, PAGE), current.next)

    return Found(first.total, records())


def _query(f: FailureFilter | RunFilter | AuditFilter) -> dict[str, str]:
    """A filter as the parameters of the API."""
    return _given({name: getattr(f, name) for name in f.__struct_fields__})


def _given(parameters: dict[str, Any]) -> dict[str, str]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in parameters.items()
        if value is not None and value != ()
    }


@contextmanager
def open_reader(args: Namespace) -> Iterator[AnyReader]:
    """What `--url` or `--config` names: with neither, the daemon at the default address.

    The store of a configuration whose daemon runs is in use, so then that daemon is asked.
    """
    place = place_of(args)
    if isinstance(place, str):
        with _asking(make_client(args, place)) as reader:
            yield reader
        return
    settings = load_settings(place)
    try:
        database = _open_store(settings)
    except StoreLocked:
        with _asking(make_client(args, url_of(settings.config.server.listen))) as reader:
            yield reader
        return
    try:
        yield StoreReader(database, configured=sources_of(settings.config))
    finally:
        database.close()


@contextmanager
def _asking(client: Client) -> Iterator[DaemonReader]:
    """Where what is asked for is the mistake, it is one of the arguments, as it is with a store."""
    try:
        yield DaemonReader(client)
    except RequestRefused as error:
        if error.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
            error.exit_code = Exit.CONFIG
        raise


def sources_of(config: Config) -> dict[str, list[str]]:
    """The sources of each pipeline; one of a function that names none is itself its only source."""
    return {
        name: list(pipeline.sources) or ([name] if pipeline.is_own_source else [])
        for name, pipeline in config.pipelines.items()
    }


def _open_store(settings: Settings) -> Database:
    path = settings.store_path
    if not path.exists():
        raise StoreUnavailable(f"there is no store at {path} yet: nothing has run so far")
    limit = settings.config.store.memory_limit
    migrations = Ledgers.named(KINDS.ledgers).migrations
    return Database(path, memory_limit=limit, read_only=True, migrations=migrations)
