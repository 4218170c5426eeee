"""Reads runs: pages, one run, its log, and statistics over a stretch of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from daemon.errors import InvalidQuery, NotFound
from daemon.store.columns.runs import RunRecord
from daemon.store.database import Database
from daemon.store.entries import FailedRun, RetriedRun
from daemon.store.reading import Need
from daemon.store.records import select, stored, utc
from daemon.store.report_conditions import RUN_COLUMNS, Condition, fragments
from daemon.store.sql import SQL, query
from daemon.taxonomy import CATEGORIES, RunStatus


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs. What is None does not restrict; `since` is inclusive, `until` is not."""

    pipeline: str | None = None
    source: str | None = None
    status: str | None = None
    category: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    group: str | None = None
    q: str | None = None
    """Text in the message, the advice or the source, in any case."""
    ended: bool | None = None
    idle: bool | None = None
    """Whether nothing came of them and nothing failed in them; see `is_idle`."""
    accounts: tuple[tuple[str, str], ...] | None = None
    conditions: tuple[Condition, ...] = ()
    """What else must hold."""


class RunPage(NamedTuple):
    """Some of the runs that match, newest first."""

    runs: list[RunRecord]
    next_cursor: str | None


class LogLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a run's log."""

    time: datetime
    event: str
    run_id: str
    text: str = ""
    file_path: str | None = None
    error_category: str | None = None
    retryable: bool | None = None
    failure_id: int | None = None
    status: str | None = None


class SourceOutcomes(msgspec.Struct, frozen=True):
    """What the runs of one source came to."""

    pipeline: str
    source: str
    runs: int
    success: int
    partial: int
    failed: int
    interrupted: int
    cancelled: int
    items_succeeded: int
    items_failed: int
    items_skipped: int
    average_seconds: float | None
    median_seconds: float | None
    p95_seconds: float | None
    last_run_at: datetime | None
    last_success_at: datetime | None


class IdleStreak(NamedTuple):
    """The latest runs of a source, which were idle."""

    pipeline: str
    source: str
    run_id: str
    """The last of them."""
    runs: int
    since: datetime
    """When the first of them ended."""


def is_idle(status: str, succeeded: int, failed: int) -> bool:
    """Whether nothing came of a run and nothing failed in it: nothing was to do, but for what is known to be broken."""
    return status in (RunStatus.SUCCESS, RunStatus.PARTIAL) and not succeeded and not failed


class RunStreak(NamedTuple):
    """How a source's latest runs ended."""

    pipeline: str
    source: str
    last_success: datetime | None
    last_worked: datetime | None
    """When a run last ended in which something worked: as success or partial."""
    failed_in_a_row: int
    category: str | None
    """What the latest run failed with, if it failed and that was not dealt with since."""
    failing_since: datetime | None
    """When the first of the runs that failed in a row ended."""


class Runs:
    """Queries over runs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader = database.read()

    def page(self, f: RunFilter, limit: int, cursor: str | None = None, offset: int = 0) -> RunPage:
        """The newest `limit` runs that match, after `cursor` and `offset` more. Raises `InvalidQuery`."""
        sql, parameters = runs_where(f)
        if cursor is not None:
            if not (cursor.isascii() and 0 < len(cursor) <= 64):
                raise InvalidQuery("cursor: expected the next_cursor of an earlier answer")
            sql += " AND run_id < ?"
            parameters.append(cursor)
        rows = self._reader.rows(
            query("newest_runs", columns=select(RunRecord), where=sql),
            [*parameters, limit + 1, offset],
        )
        runs = [RunRecord.of(row) for row in rows[:limit]]
        return RunPage(runs, runs[-1].run_id if len(rows) > limit else None)

    def some(self, f: RunFilter, run_ids: Iterable[str]) -> list[RunRecord]:
        """Those of some runs that match, newest first."""
        if not (chosen := list(run_ids)):
            return []
        sql, parameters = runs_where(f)
        rows = self._reader.rows(
            query("some_runs", columns=select(RunRecord), where=sql), [*parameters, chosen]
        )
        return [RunRecord.of(row) for row in rows]

    def total(self, f: RunFilter) -> int:
        """How many runs match."""
        sql, parameters = runs_where(f)
        row = self._reader.row(query("count_runs", where=sql), parameters)
        return int(row[0]) if row else 0

    def get(self, run_id: str) -> RunRecord:
        """One run. Raises `NotFound`."""
        row = self._reader.row(query("run_by_id", columns=select(RunRecord)), [run_id])
        if row is None:
            raise NotFound("there is no such run")
        return RunRecord.of(row)

    def latest(self, pipeline: str, source: str) -> RunRecord | None:
        """The newest run of a source."""
        page = self.page(RunFilter(pipeline=pipeline, source=source), 1)
        return page.runs[0] if page.runs else None

    def latest_by_source(self, pipeline: str) -> dict[str, RunRecord]:
        """The newest run of each source of a pipeline."""
        rows = self._reader.rows(
            query("latest_runs_by_source", columns=select(RunRecord)), [pipeline]
        )
        return {run.source: run for run in map(RunRecord.of, rows)}

    def log(self, run_id: str) -> Iterator[LogLine]:
        """The log of a run, oldest line first, in flat memory. Raises `NotFound` at once."""
        run = self.get(run_id)
        return self._log_lines(run)

    def _log_lines(self, run: RunRecord) -> Iterator[LogLine]:
        yield LogLine(run.started_at, "run_started", run.run_id, f"{run.pipeline}/{run.source}")
        asked = {"run": run.run_id, "since": stored(run.started_at)}
        for time, event, *rest in self._database.read(Need.STREAM).stream(SQL["run_log"], asked):
            yield LogLine(utc(time), event, run.run_id, *rest)
        if run.ended_at is not None:
            text = run.error_message or ""
            yield LogLine(run.ended_at, "run_ended", run.run_id, text, status=run.status)

    def statistics(self, since: datetime | None, until: datetime | None) -> list[SourceOutcomes]:
        """What the runs of every source came to."""
        sql, parameters = runs_where(RunFilter(since=since, until=until))
        rows = self._reader.rows(query("run_statistics", where=sql), parameters)
        return [SourceOutcomes(*map(utc, row)) for row in rows]

    def streaks(self) -> list[RunStreak]:
        """How the latest runs of every source ended."""
        return [RunStreak(*map(utc, row)) for row in self._reader.rows(SQL["run_streaks"])]

    def idle_streaks(self) -> list[IdleStreak]:
        """Sources whose latest run was idle."""
        rows = self._reader.rows(query("idle_streaks", is_idle=SQL["is_idle"]))
        return [IdleStreak(*map(utc, row)) for row in rows]

    def last_cycles(self) -> dict[str, datetime]:
        """When the last cycle of each pipeline ended."""
        rows = self._reader.rows(SQL["last_cycles"])
        return {pipeline: utc(ended) for pipeline, ended in rows}

    def failed_sources(self) -> list[tuple[FailedRun, str | None]]:
        """Sources whose latest run failed as a whole, and the version of their configuration then."""
        return [
            (FailedRun(*map(utc, row[:-1])), row[-1])
            for row in self._reader.rows(SQL["failed_sources"])
        ]

    def retried(self, since: datetime) -> list[RetriedRun]:
        """Runs that were retries."""
        rows = self._reader.rows(SQL["retried_runs"], [stored(since)])
        return [RetriedRun(*map(utc, row)) for row in rows]

    def newest(self) -> datetime | None:
        """When the run that was stored last began, by the clock of that time."""
        found = self._reader.row(SQL["newest_run"])
        return None if found is None else utc(found[0])

    def evidence(self, since: datetime, now: datetime) -> tuple[datetime | None, int]:
        """When the oldest run began, and on how many days between two moments any did."""
        ((oldest, days),) = self._reader.rows(SQL["run_days"], [stored(since), stored(now)])
        return None if oldest is None else utc(oldest), days

    def paused(self) -> set[str]:
        """Pipelines that a person paused."""
        return {row[0] for row in self._reader.rows(SQL["paused_pipelines"])}


def runs_where(f: RunFilter) -> tuple[str, list[Any]]:
    """The conditions of a filter over runs, with their parameters."""
    parts, parameters = ["true"], list[Any]()
    for column in ("pipeline", "source", "status", "category"):
        if getattr(f, column) is not None:
            parts.append(f"{column} = ?")
            parameters.append(getattr(f, column))
    if f.since is not None:
        parts.append("started_at >= ?")
        parameters.append(stored(f.since))
    if f.until is not None:
        parts.append("started_at < ?")
        parameters.append(stored(f.until))
    if f.group is not None:
        parts.append("list_contains(?, category)")
        parameters.append([c.value for c, facts in CATEGORIES.items() if facts.group == f.group])
    if f.q:
        texts = ("error_message", "user_message", "source")
        parts.append("(" + " OR ".join(f"contains(lower({t}), ?)" for t in texts) + ")")
        parameters += [f.q.lower()] * len(texts)
    if f.ended is not None:
        parts.append("ended_at IS NOT NULL" if f.ended else "ended_at IS NULL")
    if f.idle is not None:
        parts.append(f"{'' if f.idle else 'NOT '}{SQL['is_idle']}")
    if f.accounts is not None:
        parts.append("list_contains(?, pipeline || chr(31) || source)")
        parameters.append([f"{pipeline}\x1f{source}" for pipeline, source in f.accounts])
    more, values = fragments(f.conditions, RUN_COLUMNS)
    parts += more
    parameters += values
    return " AND ".join(parts), parameters
