"""The configuration as one tree of frozen records: every key, its type, its default and meaning.

The reference in docs/configuration.md is made from these docstrings.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from daemon.access.roles import KeyName, Role
from daemon.config.values import Duration, Listen, Size

Name = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$",
        description="a name of at most 48 lower-case letters, digits, - and _",
    ),
]
SourceName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="a name of at most 64 letters, digits, - _ and . (it is shown in metrics)",
    ),
]
Identifier = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="a table name of letters, digits and _",
    ),
]
ColumnName = Annotated[str, Meta(min_length=1, max_length=128)]
ColumnType = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z][A-Za-z ]{0,30}(\( *[0-9]{1,2} *(, *[0-9]{1,2} *)?\))?(\[\])?$",
        description="a DuckDB type, such as BIGINT, VARCHAR, DECIMAL(10,2) or TIMESTAMP",
    ),
]
FunctionPath = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description='a function as "module:function"',
    ),
]


CategoryName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$",
        description="a category of at most 48 lower-case letters, digits, - and _",
    ),
]
LabelName = Annotated[
    str,
    Meta(
        pattern=r"^(?!\\|\[G)[^\x00-\x1f\x7f]{0,225}\Z",
        description="a label of at most 225 characters, which is none of the server's own (\\Seen, [Gmail]/…)",
    ),
]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables: keys that are not listed are refused."""


class KeyConfig(Table, frozen=True, kw_only=True):
    """One API key. The key itself comes from an environment variable or a file. `triaged token` makes
    keys without any entry here."""

    name: KeyName
    """Shown in the log and the audit trail in place of the key."""
    role: Role = "read"
    """`read` may look; `operate` may also retry, pause, quarantine and see rejected rows; `admin` may
    also manage accounts and see the audit trail."""
    key_env: str | None = None
    """Environment variable that holds the key."""
    key_file: str | None = None
    """File that holds the key."""


class ServerConfig(Table, frozen=True, kw_only=True):
    """Where the API listens and who may use it."""

    listen: Listen = Listen("127.0.0.1", 8080)
    """Address and port. Other addresses than loopback need `keys`."""
    keys: tuple[KeyConfig, ...] = ()
    """API keys, besides those of `keys_file`; none at all on loopback means that every local user may
    do everything."""
    keys_file: str | None = None
    """File of the keys that `triaged token` makes; `keys.json` beside the store, when not given."""
    requests_per_minute: Annotated[int, Meta(ge=0, le=10_000_000)] = 6000
    """Requests that a key, or without keys a client's address, may make in a minute, and a sixth of them
    at once; 0 for no limit. Health and metrics do not count."""
    hosts: tuple[str, ...] = ()
    """Host names, besides the listening address and localhost, that requests may name."""
    grace: Duration = Duration(10)
    """How long runs may go on after SIGTERM before they are marked interrupted."""
    websocket_connections: Annotated[int, Meta(ge=0, le=100_000)] = 50
    """How many WebSockets may be open at the same time; 0 for none."""
    websocket_connections_per_client: Annotated[int, Meta(ge=1, le=100_000)] = 20
    """How many of them one API key may have, or without keys one address."""


class StoreConfig(Table, frozen=True, kw_only=True):
    """Where runs and failures are kept."""

    path: str = "data/triaged.duckdb"
    """The DuckDB database. Rejected rows and quarantined files are kept in folders beside it."""
    retention: Duration = Duration(90 * 86400)
    """How long runs and failures are kept, in whole days."""
    memory_limit: Size = Size(64 * 1000**2)
    """What DuckDB may use for the store."""


class LogConfig(Table, frozen=True, kw_only=True):
    """What is logged to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""
    format: Literal["auto", "json", "text"] = "auto"
    """`auto` is text on a terminal and JSON lines elsewhere."""


class TriageConfig(Table, frozen=True, kw_only=True):
    """Classification."""

    rules: str | None = None
    """A TOML file of rules that are added to the bundled ones, or override those of the same name; it
    may also disable bundled ones."""


class RetryConfig(Table, frozen=True, kw_only=True):
    """Automatic retries of runs that failed as a whole, and of the files of ingestions."""

    breaker_after: Annotated[int, Meta(ge=1)] = 5
    """After so many failures in a row for passing reasons a source is tried only once in a while."""
    breaker_pause: Duration = Duration(900)
    """How long a source is left alone then, at least, before each further attempt."""
    source_budget: Annotated[int, Meta(ge=1)] = 30
    """Automatic retries of one source within an hour; more wait."""
    category_budget: Annotated[int, Meta(ge=1)] = 300
    """Automatic retries within an hour of all sources of a pipeline that failed with one category."""


class MetricsConfig(Table, frozen=True, kw_only=True):
    """Metrics."""

    max_sources: Annotated[int, Meta(ge=0)] = 1000
    """Sources beyond this number get no series of their own."""


class PipelineConfig(Table, frozen=True, kw_only=True):
    """What every pipeline has."""

    every: Duration | None = None
    """Time between the starts of two cycles, such as "30s", "5m" or "1h"."""
    cron: str | None = None
    """Five-field crontab in UTC, instead of `every`. With neither, the pipeline runs on demand."""
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 1
    """How many sources of the pipeline run at the same time."""
    misfire_grace: Duration = Duration(30)
    """A cycle that could not start for longer than this counts as missed."""

    @property
    def interval(self) -> float | None:
        """Seconds between cycles; None when they come by `cron` or on demand."""
        return None if self.cron is not None else self.every


class IngestSource(Table, frozen=True, kw_only=True):
    """One ingestion: files by glob into a table."""

    files: Annotated[str, Meta(min_length=1)]
    """Glob of the input files, relative to the configuration file; `**` reaches subfolders."""
    table: Identifier
    """Table that the rows go to; made when it does not exist."""
    format: Literal["auto", "csv", "jsonl", "json", "parquet"] = "auto"
    """`auto` goes by the file's name, with or without .gz or .zst."""
    mode: Literal["permissive", "failfast"] = "permissive"
    """`permissive` loads the good rows and sets the bad ones aside; `failfast` loads all or nothing."""
    columns: dict[ColumnName, ColumnType] | None = None
    """Columns and their DuckDB types; without them they are inferred from the first file."""
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    """CSV delimiter; found out when not given."""
    settle: Duration = Duration(2)
    """A file changed more recently than this may still be growing and waits for the next cycle."""
    enabled: bool = True
    """Whether cycles include it."""


class IngestConfig(PipelineConfig, frozen=True, kw_only=True):
    """The ingest pipeline."""

    database: str = "data/warehouse.duckdb"
    """DuckDB database that the tables go to. It must not be the store."""
    memory_limit: Size = Size(256 * 1000**2)
    """What DuckDB may use while files load."""
    sources: dict[SourceName, IngestSource] = {}
    """The ingestions by name."""


class MailOAuth(Table, frozen=True, kw_only=True):
    """OAuth 2.0 for a mail account (XOAUTH2), by a refresh token."""

    token_url: Annotated[
        str,
        Meta(pattern=r"^https?://\S+$", description="the https:// address of the token endpoint"),
    ]
    """Where access tokens come from; plain http on loopback only."""
    client_id: Annotated[str, Meta(min_length=1)]
    """The client's id."""
    client_secret_env: str | None = None
    """Environment variable that holds the client's secret; public clients have none."""
    client_secret_file: str | None = None
    """File that holds the client's secret."""
    refresh_token_env: str | None = None
    """Environment variable that holds the refresh token."""
    refresh_token_file: str | None = None
    """File that holds the refresh token."""
    scope: str | None = None
    """Scope that is asked for, where the provider wants it."""


class MailSource(Table, frozen=True, kw_only=True):
    """One mail account."""

    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,253}$", description="a host name")]
    """The IMAP server."""
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    """Its port; 993 for implicit TLS and 143 otherwise, when not given."""
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    """`implicit` is TLS from the first byte, `starttls` changes over to TLS before the login, `none`
    sends the password readable for all on the way."""
    ca_file: str | None = None
    """PEM file of certificate authorities to trust in place of the system's."""
    username: Annotated[str, Meta(min_length=1, max_length=320)]
    """Name to log in with."""
    password_env: str | None = None
    """Environment variable that holds the password or app password."""
    password_file: str | None = None
    """File that holds the password; read anew for each run."""
    oauth: MailOAuth | None = None
    """OAuth 2.0 in place of a password."""
    email_address: Annotated[str, Meta(max_length=320)] | None = None
    """Address shown by the API; the user name, if it is one, when not given. Never a label."""
    folder: Annotated[str, Meta(min_length=1, max_length=255)] = "INBOX"
    """The folder whose messages are processed."""
    hours: Annotated[int, Meta(ge=1, le=24 * 366)] = 24
    """How far back messages are looked at."""
    label_as: Literal["auto", "gmail", "keywords"] = "auto"
    """How a category is written: Gmail's labels, IMAP keywords, or what the server can do."""
    dry_run: bool = False
    """Categorise and report, but write nothing to the account."""
    timeout: Duration = Duration(30)
    """How long the server may be silent."""
    deadline: Duration = Duration(300)
    """How long one run of the account may take altogether."""
    enabled: bool = True
    """Whether cycles include it."""


class MailModel(Table, frozen=True, kw_only=True):
    """A language model behind an OpenAI-compatible endpoint, asked about messages that no rule matches."""

    base_url: Annotated[
        str,
        Meta(pattern=r"^https?://\S+$", description="an https:// address up to the version"),
    ]
    """Address of the endpoint, such as `https://llm.example.com/v1`; plain http on loopback only."""
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    """Name of the model."""
    key_env: str | None = None
    """Environment variable that holds the key."""
    key_file: str | None = None
    """File that holds the key; read anew for each run. A local model may need none."""
    timeout: Duration = Duration(20)
    """How long one answer may take altogether."""
    max_chars: Annotated[int, Meta(ge=100, le=20_000)] = 2000
    """Characters of a message's headers that are sent; the rest is cut off."""


class MailConfig(PipelineConfig, frozen=True, kw_only=True):
    """The mail pipeline."""

    every: Duration | None = Duration(300)
    """Time between the starts of two cycles; without `cron`, 5 minutes when not given."""
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 4
    """How many accounts are processed at the same time, each over one connection."""
    chunk: Annotated[int, Meta(ge=1, le=1000)] = 100
    """Messages whose headers are fetched at a time."""
    categories: str | None = None
    """TOML file of header rules, added to the bundled ones or in place of those of the same name."""
    fallback: CategoryName = "uncategorised"
    """Category of a message that nothing matches. It has no label unless `labels` gives it one."""
    labels: dict[CategoryName, LabelName] = {}
    """Label, or keyword, by category; the category's name when not given. "" writes none."""
    categoriser: FunctionPath | None = None
    """`module:function` of your own, asked first; it returns a category, or None to leave it to the rules."""
    model: MailModel | None = None
    """A language model for messages that no rule matches."""
    sources: dict[SourceName, MailSource] = {}
    """The accounts by name. Others may be added by the API."""


class OwnSource(Table, frozen=True, kw_only=True):
    """One source of an own pipeline."""

    options: dict[str, Any] = {}
    """Handed to the function as `run.options`."""
    email_address: str | None = None
    """Shown by the API in place of null; never a label, never stored with failures."""
    enabled: bool = True
    """Whether cycles include it."""


class OwnConfig(PipelineConfig, frozen=True, kw_only=True):
    """A pipeline of your own: a Python function."""

    run: FunctionPath
    """`module:function`. The folder of the configuration file is on the import path."""
    sources: dict[SourceName, OwnSource] = {}
    """Its sources by name; without any it has one, named as the pipeline."""


AnyPipeline = IngestConfig | MailConfig | OwnConfig


class Config(Table, frozen=True, kw_only=True):
    """The whole file."""

    server: ServerConfig = ServerConfig()
    store: StoreConfig = StoreConfig()
    log: LogConfig = LogConfig()
    triage: TriageConfig = TriageConfig()
    retry: RetryConfig = RetryConfig()
    metrics: MetricsConfig = MetricsConfig()
    pipelines: dict[Name, AnyPipeline] = {}
    """`ingest` and `mail` are built in; any other name is a pipeline of your own and needs `run`."""
