"""The configuration of the mail pipeline."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from daemon.config.schema import ConfigTable, FilePath, FunctionPath, PipelineConfig, SourceName
from daemon.config.values import Duration

PIPELINE = "mail"
"""The name of the pipeline in the configuration, and wherever else it is named."""

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


class MailOAuth(ConfigTable, frozen=True, kw_only=True):
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
    client_secret_file: FilePath | None = None
    """File that holds the client's secret."""
    refresh_token_env: str | None = None
    """Environment variable that holds the refresh token."""
    refresh_token_file: FilePath | None = None
    """File that holds the refresh token."""
    scope: str | None = None
    """Scope that is asked for, where the provider wants it."""


class MailSource(ConfigTable, frozen=True, kw_only=True):
    """One mail account."""

    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,253}$", description="a host name")]
    """The IMAP server."""
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    """Its port; 993 for implicit TLS and 143 otherwise, when not given."""
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    """`implicit` is TLS from the first byte, `starttls` changes over to TLS before the login, `none`
    sends the password readable for all on the way."""
    ca_file: FilePath | None = None
    """PEM file of certificate authorities to trust in place of the system's."""
    username: Annotated[str, Meta(min_length=1, max_length=320)]
    """Name to log in with."""
    password_env: str | None = None
    """Environment variable that holds the password or app password."""
    password_file: FilePath | None = None
    """File that holds the password; read anew for each run."""
    oauth: MailOAuth | None = None
    """OAuth 2.0 in place of a password."""
    email_address: Annotated[str, Meta(max_length=320)] | None = None
    """Address shown by the API; the user name, if it is one, when not given. Never a label."""
    folder: Annotated[str, Meta(min_length=1, max_length=255)] = "INBOX"
    """The folder whose messages are processed."""
    hours: Annotated[int, Meta(ge=1, le=24 * 366)] = 24
    """How far back messages are looked at."""
    catch_up: Duration = Duration(7 * 86400)
    """How far back at most they are looked at after a time in which no run saw all of them, as while the account
    was held, disabled or not to be reached. What is still older is said by a failure."""
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


class MailModel(ConfigTable, frozen=True, kw_only=True):
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
    key_file: FilePath | None = None
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
    per_server: Annotated[int, Meta(ge=1, le=64)] | None = None
    """How many of them on the same `host` at the same time; as many as `concurrency` allows when not given. A
    server that refuses connections because there are too many gets fewer by itself."""
    chunk: Annotated[int, Meta(ge=1, le=1000)] = 100
    """Messages whose headers are fetched at a time."""
    categories: FilePath | None = None
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
