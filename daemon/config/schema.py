"""The configuration as one tree of frozen records: every key, its type, its default and meaning.

What a kind of pipeline has of its own stands in `config.py` of its folder. The reference in docs/configuration.md is made from these docstrings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Protocol

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
FunctionPath = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description='a function as "module:function"',
    ),
]
FilePath = Annotated[str, Meta(min_length=1, extra={"path": True})]
"""A path, relative to the configuration's folder; ~ stands for a home folder."""


class ConfigTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables: keys that are not listed are refused."""


class KeyConfig(ConfigTable, frozen=True, kw_only=True):
    """One API key. The key itself comes from an environment variable or a file. `triaged token` makes
    keys without any entry here."""

    name: KeyName
    """Shown in the log and the audit trail in place of the key."""
    role: Role = "read"
    """`read` may look; `operate` may also retry, pause, quarantine and see rejected rows; `admin` may
    also manage accounts and see the audit trail."""
    key_env: str | None = None
    """Environment variable that holds the key."""
    key_file: FilePath | None = None
    """File that holds the key."""


_Address = Annotated[
    str,
    Meta(
        pattern=r"^(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:]{2,39})$",
        description="an IP address",
    ),
]


class ProxyConfig(ConfigTable, frozen=True, kw_only=True):
    """A reverse proxy that signs people in. It must take the header away from requests that bring it along."""

    user_header: Annotated[str, Meta(pattern="^[A-Za-z0-9-]{1,64}$", description="a header's name")]
    """The header in which it says who asks, such as `X-Forwarded-User`; shown in the audit trail."""
    addresses: tuple[_Address, ...] = ("127.0.0.1", "::1")
    """Where its requests come from. From elsewhere the header is not believed."""
    role: Role = "read"
    """What those may do whom it has signed in. For more, they need keys."""


class ServerConfig(ConfigTable, frozen=True, kw_only=True):
    """Where the API listens and who may use it."""

    listen: Listen = Listen("127.0.0.1", 8080)
    """Address and port. Other addresses than loopback need `keys`."""
    keys: tuple[KeyConfig, ...] = ()
    """API keys, besides those of `keys_file`; none at all on loopback means that every local user may
    do everything."""
    keys_file: FilePath | None = None
    """File of the keys that `triaged token` makes; `keys.json` beside the store, when not given."""
    requests_per_minute: Annotated[int, Meta(ge=0, le=10_000_000)] = 6000
    """Requests that a key, or without keys a client's address, may make in a minute, and a sixth of them
    at once; 0 for no limit. Health and metrics do not count."""
    hosts: tuple[str, ...] = ()
    """Host names, besides the listening address and localhost, that requests may name. Needs `keys` or `proxy`:
    to triaged, whoever comes through a reverse proxy is on this machine."""
    proxy: ProxyConfig | None = None
    """A reverse proxy that signs people in; without it, and with `keys`, each request needs a key."""
    grace: Duration = Duration(10)
    """How long runs may go on after SIGTERM before they are marked interrupted."""
    connections: Annotated[int, Meta(ge=8, le=60_000)] = 500
    """How many connections may be open, WebSockets included. Fewer where the system allows the process so few
    descriptors that none would be left for the store, runs and scrapes. One more takes the place of the one that
    has waited for a request longest."""
    header_timeout: Duration = Duration(10)
    """How long a client may take for the header of a request."""
    body_timeout: Duration = Duration(30)
    """After such a time without 512 bytes a second a body is given up."""
    send_timeout: Duration = Duration(120)
    """How long a client may read nothing of its answer."""
    websocket_connections: Annotated[int, Meta(ge=0, le=100_000)] = 50
    """How many WebSockets may be open at the same time; 0 for none."""
    websocket_connections_per_client: Annotated[int, Meta(ge=1, le=100_000)] = 20
    """How many of them one API key may have, or without keys one address."""


class StoreConfig(ConfigTable, frozen=True, kw_only=True):
    """Where runs and failures are kept."""

    path: FilePath = "data/triaged.duckdb"
    """The DuckDB database. Rejected rows and quarantined files are kept in folders beside it."""
    key_file: FilePath | None = None
    """File of the key that secrets given by API are encrypted with; `secret.key` beside the store, when not
    given. It is made when it is first needed. Back it up apart from the store."""
    retention: Duration = Duration(90 * 86400)
    """How long runs and failures are kept, in whole days."""
    memory_limit: Size = Size(64 * 1000**2)
    """What DuckDB may use for the store."""


class LogConfig(ConfigTable, frozen=True, kw_only=True):
    """What is logged to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""
    format: Literal["auto", "json", "text"] = "auto"
    """`auto` is text on a terminal and JSON lines elsewhere."""


class TriageConfig(ConfigTable, frozen=True, kw_only=True):
    """Classification."""

    rules: FilePath | None = None
    """A TOML file of rules that are added to the bundled ones, or override those of the same name; it
    may also disable bundled ones."""


class RetryConfig(ConfigTable, frozen=True, kw_only=True):
    """Automatic retries of runs that failed as a whole, and of the files of ingestions."""

    breaker_after: Annotated[int, Meta(ge=1)] = 5
    """After so many failures in a row for passing reasons a source is tried only once in a while."""
    breaker_pause: Duration = Duration(900)
    """How long a source is left alone then, at least, before each further attempt."""
    source_budget: Annotated[int, Meta(ge=1)] = 30
    """Automatic retries of one source within an hour; more wait."""
    category_budget: Annotated[int, Meta(ge=1)] = 300
    """Automatic retries within an hour of all sources of a pipeline that failed with one category."""


class MetricsConfig(ConfigTable, frozen=True, kw_only=True):
    """Metrics."""

    max_sources: Annotated[int, Meta(ge=0)] = 1000
    """Sources beyond this number get no series of their own."""


class SourceConfig(Protocol):
    """What every source has."""

    @property
    def enabled(self) -> bool:
        """Whether cycles include it."""
        ...


class PipelineConfig(ConfigTable, frozen=True, kw_only=True):
    """What every pipeline has. Each kind adds its `sources`, and what else it needs."""

    is_own_source: ClassVar[bool] = False
    """Whether a pipeline without sources has one, named as the pipeline."""
    every: Duration | None = None
    """Time between the starts of two cycles, such as "30s", "5m" or "1h"."""
    cron: str | None = None
    """Five-field crontab in UTC, instead of `every`. With neither, the pipeline runs on demand."""
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 1
    """How many sources of the pipeline run at the same time, whoever asked: cycles, people and retries together."""
    misfire_grace: Duration = Duration(30)
    """A cycle that could not start for longer than this counts as missed."""
    mode: Literal["thread", "process"] = "thread"
    """Where runs are carried out: in threads of the daemon, or in worker processes, where one that crashes
    fails alone."""
    run_memory_limit: Size | None = None
    """What the process of a run may fill, 25 MB for Python included; at least 64MB, and with `process` only."""
    run_time_limit: Duration | None = None
    """How long a run may take; with `process` only."""

    @property
    def interval(self) -> float | None:
        """Seconds between cycles; None when they come by `cron` or on demand."""
        return None if self.cron is not None else self.every

    @property
    def sources(self) -> Mapping[str, SourceConfig]:
        """Its sources by name: a field of each kind's record."""
        raise NotImplementedError

    @property
    def databases(self) -> Mapping[str, str]:
        """Paths of the databases that it writes, by their keys. None may be the store."""
        return {}


class Config(ConfigTable, frozen=True, kw_only=True):
    """The whole file."""

    server: ServerConfig = ServerConfig()
    store: StoreConfig = StoreConfig()
    log: LogConfig = LogConfig()
    triage: TriageConfig = TriageConfig()
    retry: RetryConfig = RetryConfig()
    metrics: MetricsConfig = MetricsConfig()
    pipelines: dict[Name, PipelineConfig] = {}
    """By name, which says of what kind a pipeline is."""
