"""Every exception that triaged raises on purpose, in one tree; those that stand elsewhere with their module.

TriagedError
├── ConfigError              the configuration has mistakes; carries all of them
├── NotFound                 a pipeline, source, run, failure or file that does not exist
├── Conflict                 the request cannot be carried out in the present state
│   └── SecretNeeded         (operations.accounts) an account's secret would go to another place
├── UnsafePath               a path that is not tracked or leaves its folder
├── InvalidQuery             a filter or cursor that cannot be understood
├── CredentialsMissing       an account's secret cannot be had: a variable not set, a file not there
├── StoreError               the store could not be used
│   ├── StoreLocked          another process has the database open
│   ├── StoreCorrupt         the file is not a readable database
│   ├── StoreIncomplete      it lacks what was acknowledged
│   ├── StoreTooNew          written by a later version of triaged
│   ├── StoreUnavailable     the file or its folder cannot be written or opened
│   │   └── PageTooLarge     a page needs more memory than pages have
│   ├── QueryTooLong         a report takes longer than one may
│   ├── UnknownEvent         an event, or facts that it carries, which the store has no place for
│   └── RecorderClosed       an event arrived after the recorder was closed
├── RunClosed                (runners.handle) the run has ended; nothing more can be reported to it
├── ForkedReport             (runners.handle) a process that a run forked cannot report for it
├── RunCutShort              (runners.cut_short) a run's process died, or reached a limit; drawn there
├── KeysFileDamaged          (access.keys_file) the keys file cannot be understood
├── KeyNotWritten            (access.key_output) a new key could not be written where it should
├── IngestError              (pipelines.ingest.failures) files could not be ingested; drawn there
├── LeftForLater             (pipelines.ingest.failures) the next cycle takes the file; drawn there
├── NotTogether              (pipelines.ingest.gathering) some of many files have to be loaded alone
├── NeedsCare                (pipelines.ingest.load) a file has to be read again, slower and exactly
├── TooMuchMemory            (pipelines.ingest.memory) a statement took more memory than it may
├── RowTooLong               (pipelines.ingest.csv_rows) a row of CSV has more characters than it may
├── MailError                (pipelines.mail.errors) an account could not be processed; drawn there
├── CategoriserError         (pipelines.mail.categoriser) a message could not be categorised
├── ModelError               (pipelines.mail.model) the model gave no answer that can be used
├── ModelPaused              (pipelines.mail.model) the model is left alone for a while
├── AddressTaken             (cli.serve) the address cannot be listened on
├── NoSuchRule               (cli.rules) there is no rule of that name
├── RequestRefused           (cli.client) the daemon refused what a command asked for
├── Unreachable              (cli.client) no daemon answers
└── Unreadable               (cli.classify) what is to be classified cannot be read

Three go to the web framework and stand beside the tree: `api.problems.BadRequest`, which is its
`HTTPException`, with `api.problems.UnknownName`, and `api.sockets.closing.Refused`, which ends a socket.

A class docstring is its default message.
"""

from __future__ import annotations

import msgspec


class TriagedError(Exception):
    """triaged could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__ or "")


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One mistake in a configuration or rule file, or something about it that is worth telling."""

    where: str
    """The file and key path, such as ``triaged.toml: pipelines.ingest.every``."""
    expected: str
    """What is wrong and what was expected, as a sentence."""
    harmless: bool = False
    """Whether it is only told, and keeps nothing from starting."""

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


class StoreIncomplete(StoreError):
    """The database lacks what it once had."""


class StoreTooNew(StoreError):
    """The database was written by a later version of triaged."""


class StoreUnavailable(StoreError):
    """The database cannot be opened or written."""


class PageTooLarge(StoreUnavailable):
    """That query needs more memory than a page may use."""


class QueryTooLong(StoreError):
    """That query takes longer than one may."""


class UnknownEvent(StoreError):
    """The store has no place for such an event."""


class RecorderClosed(StoreError):
    """The recorder is closed."""
