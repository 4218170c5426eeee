"""Mail accounts as they are given. Secrets in them are write-only: nothing here shows one."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from daemon.accounts.secret import Secret
from daemon.config import is_loopback
from daemon.config.schema import SourceName
from daemon.config.values import Duration
from daemon.errors import Problem
from daemon.pipelines.mail.checks import host_mistake
from daemon.pipelines.mail.config import MailOAuth, MailSource

_TEXT = r"^[^\x00-\x1f\x7f]+$"

Host = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,253}$", description="a host name or address")
]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
Tls = Annotated[
    Literal["implicit", "starttls", "none"], Meta(description="one of implicit, starttls and none")
]
Line = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=320,
        pattern=_TEXT,
        description="text of 1 to 320 characters without line breaks",
    ),
]
Hidden = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=8192,
        pattern=_TEXT,
        description="text of 1 to 8192 characters without line breaks",
        extra={"secret": True},
    ),
]
Url = Annotated[
    str,
    Meta(
        max_length=1000,
        pattern=r"^https?://[^\s/]+\S*$",
        description="an https:// address of at most 1000 characters",
    ),
]
Folder = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=_TEXT,
        description="text of 1 to 255 characters without line breaks",
    ),
]
Hours = Annotated[int, Meta(ge=1, le=24 * 366, description="a whole number from 1 to 8784")]
CatchUp = Annotated[
    int, Meta(ge=1, le=24 * 366, description="a whole number of hours from 1 to 8784")
]
Labels = Annotated[
    Literal["auto", "gmail", "keywords"], Meta(description="one of auto, gmail and keywords")
]
Seconds = Annotated[float, Meta(ge=1, le=3600, description="a number from 1 to 3600")]
Flag = Annotated[bool, Meta(description="true or false")]

USUAL = {field.name: field.default for field in msgspec.structs.fields(MailSource)}


class OAuthOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """OAuth 2.0 in place of a password. The secrets in it are write-only."""

    token_url: Annotated[
        Url, Meta(description="Where access tokens come from; plain http on loopback only.")
    ]
    client_id: Annotated[Line, Meta(description="The client's id.")]
    scope: Annotated[Line | None, Meta(description="Scope that is asked for, if any.")] = None
    refresh_token: Annotated[
        Hidden | None,
        Meta(description="The refresh token. Write-only; required for a new account."),
    ] = None
    client_secret: Annotated[
        Hidden | None,
        Meta(
            description="The client's secret; public clients have none. Write-only, and replaced "
            "together with the refresh token."
        ),
    ] = None

    def __repr__(self) -> str:
        return f"OAuthOrder({self.client_id!r})"

    def settings(self) -> MailOAuth:
        """It without its secrets."""
        return MailOAuth(token_url=self.token_url, client_id=self.client_id, scope=self.scope)


class AccountOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of an account. What is left out takes its default, but for the secret, which is kept."""

    host: Annotated[Host, Meta(description="The IMAP server.", examples=["imap.example.com"])]
    username: Annotated[
        Line, Meta(description="Name to log in with.", examples=["support@example.com"])
    ]
    password: Annotated[
        Hidden | None,
        Meta(
            description="Password or app password. Write-only: it is kept encrypted and never "
            "returned. Required for a new account without `oauth`; left out of a change it stays."
        ),
    ] = None
    oauth: Annotated[
        OAuthOrder | None, Meta(description="OAuth 2.0 (XOAUTH2) in place of a password.")
    ] = None
    port: Annotated[
        Port | None,
        Meta(description="Its port; without one 993 for implicit TLS and 143 otherwise."),
    ] = None
    tls: Annotated[
        Tls,
        Meta(
            description="`implicit` is TLS from the first byte, `starttls` changes over to TLS before "
            "the login, `none` sends the password readable for all on the way."
        ),
    ] = "implicit"
    email_address: Annotated[
        Line | None,
        Meta(description="Address that the API shows; without one the user name, if that is one."),
    ] = None
    folder: Annotated[
        Folder, Meta(description="The folder whose messages are processed.", examples=["INBOX"])
    ] = USUAL["folder"]
    hours: Annotated[Hours, Meta(description="How far back messages are looked at.")] = USUAL[
        "hours"
    ]
    catch_up_hours: Annotated[
        CatchUp,
        Meta(
            description="How far back at most they are looked at after a time in which no run saw all of "
            "them, as while the account was held, disabled or not to be reached."
        ),
    ] = int(USUAL["catch_up"] // 3600)
    label_as: Annotated[
        Labels,
        Meta(
            description="How a category is written: Gmail's labels, IMAP keywords, or what the server "
            "can do."
        ),
    ] = "auto"
    dry_run: Annotated[
        Flag, Meta(description="Categorise and report, but write nothing to the account.")
    ] = False
    timeout_seconds: Annotated[Seconds, Meta(description="How long the server may be silent.")] = (
        float(USUAL["timeout"])
    )
    deadline_seconds: Annotated[
        Seconds, Meta(description="How long one run may take altogether.")
    ] = float(USUAL["deadline"])
    enabled: Annotated[Flag, Meta(description="Whether cycles include it.")] = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.host!r})"

    def source(self) -> MailSource:
        """The settings without any secret."""
        return MailSource(
            host=self.host,
            port=self.port,
            tls=self.tls,
            username=self.username,
            oauth=self.oauth.settings() if self.oauth else None,
            email_address=self.email_address,
            folder=self.folder,
            hours=self.hours,
            catch_up=Duration(self.catch_up_hours * 3600),
            label_as=self.label_as,
            dry_run=self.dry_run,
            timeout=Duration(self.timeout_seconds),
            deadline=Duration(self.deadline_seconds),
            enabled=self.enabled,
        )

    def secret(self) -> Secret | None:
        """The secret, if one is given."""
        if self.password is not None:
            return Secret(password=self.password)
        if self.oauth is None or self.oauth.refresh_token is None:
            return None
        return Secret(
            refresh_token=self.oauth.refresh_token, client_secret=self.oauth.client_secret
        )

    def problems(self) -> list[Problem]:
        """What is wrong with the fields together."""
        found = []
        if wrong := host_mistake(self.host):
            found.append(Problem("host", wrong))
        if self.oauth is None:
            return found
        if self.password is not None:
            found.append(Problem("password", "expected no password beside oauth"))
        if self.oauth.client_secret is not None and self.oauth.refresh_token is None:
            found.append(Problem("oauth.refresh_token", "expected a value beside client_secret"))
        if not _is_safe(self.oauth.token_url):
            expected = "expected an https:// address; plain http is for loopback only"
            found.append(Problem("oauth.token_url", expected))
        return found

    @property
    def secret_pointer(self) -> str:
        """Where the secret stands in the body."""
        return "/oauth/refresh_token" if self.oauth is not None else "/password"


class NewAccount(AccountOrder, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new account."""

    name: Annotated[
        SourceName,
        Meta(
            description="Its name, which metrics, logs and alerts show.",
            examples=["support"],
        ),
    ]

    def problems(self) -> list[Problem]:
        """What is wrong with the fields together."""
        if self.secret() is not None:
            return super().problems()
        where = self.secret_pointer[1:].replace("/", ".")
        return [*super().problems(), Problem(where, "missing, but required")]


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or is_loopback(parts.hostname or "")
    except ValueError:
        return False
