"""Every exception that triaged raises on purpose, in one tree.

TriagedError
├── ConfigError              the configuration has mistakes; carries all of them
├── NotFound                 a pipeline, source, run, failure or file that does not exist
├── Conflict                 the request cannot be carried out in the present state
├── UnsafePath               a path that is not tracked or leaves its folder
├── InvalidQuery             a filter or cursor that cannot be understood
├── CredentialsMissing       an account's secret cannot be had: a variable not set, a file not there
└── StoreError
    ├── StoreLocked          another process has the database open
    ├── StoreCorrupt         the file is not a readable database
    ├── StoreTooNew          written by a later version of triaged
    ├── StoreUnavailable     the file or its folder cannot be written or opened
    ├── UnknownEvent         an event, or facts that it carries, which the store has no place for
    └── RecorderClosed       an event arrived after the recorder was closed

A class docstring is its default message.
"""

from __future__ import annotations

import msgspec


class TriagedError(Exception):
    """triaged could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__ or "")


class Problem(msgspec.Struct, frozen=True):
    """One mistake in a configuration or rule file."""

    where: str
    """The file and key path, such as ``triaged.toml: pipelines.ingest.every``."""
    expected: str
    """What is wrong and what was expected, as a sentence."""

    def __str__(self) -> str:
        return f"{self.where}: {self.expected}" if self.where else self.expected


class ConfigError(TriagedError):
    """The configuration is not valid."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class NotFound(TriagedError):
    """There is no such thing."""


class Conflict(TriagedError):
    """That cannot be done in the present state."""


class UnsafePath(TriagedError):
    """That path is not one that triaged tracks."""


class InvalidQuery(TriagedError):
    """That filter or cursor cannot be understood."""


class CredentialsMissing(TriagedError):
    """The account's secret cannot be had."""


class StoreError(TriagedError):
    """The store could not be used."""


class StoreLocked(StoreError):
    """Another process has the database open."""


class StoreCorrupt(StoreError):
    """The database file is damaged or is not a DuckDB database."""


class StoreTooNew(StoreError):
    """The database was written by a later version of triaged."""


class StoreUnavailable(StoreError):
    """The database cannot be opened or written."""


class QueryTooLong(StoreError):
    """That query takes longer than one may."""


class UnknownEvent(StoreError):
    """The store has no place for such an event."""


class RecorderClosed(StoreError):
    """The recorder is closed."""
