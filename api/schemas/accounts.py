"""Mail accounts as they are shown: how they stand, and what came of a login that was tried."""

from __future__ import annotations

from datetime import datetime
from math import ceil
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from api.schemas import fields
from api.schemas.standing import StandingDetail
from api.schemas.waiting import WaitingSource
from daemon.accounts.secret import port_of
from daemon.pipelines.mail.config import MailSource
from daemon.taxonomy import Category, Group, RunState, RunStatus


class OAuthInfo(msgspec.Struct, frozen=True, kw_only=True):
    """OAuth 2.0 of an account, without its secrets."""

    token_url: Annotated[str, Meta(description="Where access tokens come from.")]
    client_id: Annotated[str, Meta(description="The client's id.")]
    scope: Annotated[str | None, Meta(description="Scope that is asked for; null without one.")]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A mail account, without its secret."""

    name: fields.Source
    origin: Annotated[
        Literal["configuration", "api"],
        Meta(description="Where it is kept. Only those of the API can be changed here."),
    ]
    in_force: Annotated[
        bool,
        Meta(
            description="Whether it is processed: false when the configuration has an account of the "
            "same name, or no mail pipeline."
        ),
    ]
    note: Annotated[str | None, Meta(description="Why it is not in force; null when it is.")]
    email_address: fields.EmailAddress
    host: Annotated[str, Meta(description="The IMAP server.", examples=["imap.example.com"])]
    port: Annotated[int, Meta(description="Its port.", examples=[993])]
    tls: Annotated[
        Literal["implicit", "starttls", "none"],
        Meta(description="How the connection is protected."),
    ]
    username: Annotated[str, Meta(description="Name to log in with.")]
    oauth: Annotated[OAuthInfo | None, Meta(description="OAuth 2.0; null with a password.")]
    folder: Annotated[str, Meta(description="The folder whose messages are processed.")]
    hours: Annotated[int, Meta(description="How far back messages are looked at.", examples=[24])]
    catch_up_hours: Annotated[
        int,
        Meta(
            description="How far back at most after a time in which no run saw all of them.",
            examples=[168],
        ),
    ]
    label_as: Annotated[
        Literal["auto", "gmail", "keywords"], Meta(description="How a category is written.")
    ]
    dry_run: Annotated[bool, Meta(description="Whether nothing is written to the account.")]
    timeout_seconds: Annotated[float, Meta(description="How long the server may be silent.")]
    deadline_seconds: Annotated[float, Meta(description="How long one run may take.")]
    enabled: Annotated[bool, Meta(description="Whether cycles include it.", examples=[True])]
    has_password: Annotated[
        bool,
        Meta(description="Whether its password, or with OAuth its refresh token, can be had."),
    ]
    password_problem: Annotated[
        str | None, Meta(description="Why it cannot be had; null when it can.")
    ]
    latest_status: Annotated[
        RunStatus | None, Meta(description="How its newest run stands; null before the first.")
    ]
    latest_run_id: Annotated[str | None, Meta(description="Id of its newest run; null without.")]
    last_success_at: Annotated[
        datetime | None,
        Meta(description="When a run last succeeded and left no failure open; null until one has."),
    ]
    waiting: Annotated[
        WaitingSource | None,
        Meta(description="Why cycles leave it out for now; null if they do not."),
    ]
    standing: Annotated[
        StandingDetail | None, Meta(description="How it stands; null when it is not in force.")
    ]
    created_at: Annotated[
        datetime | None, Meta(description="When it was made by API; null in the configuration.")
    ]
    created_by: Annotated[str | None, Meta(description="Who made it; null in the configuration.")]
    updated_at: Annotated[
        datetime | None, Meta(description="When it was last changed; null in the configuration.")
    ]
    updated_by: Annotated[str | None, Meta(description="Who did; null in the configuration.")]


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    """All mail accounts."""

    accounts: Annotated[list[Account], Meta(description="By name.")]
    timestamp: fields.Timestamp


class VerificationTriage(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, understood."""

    category: Annotated[
        Category, Meta(description="What kind of failure it is.", examples=["authentication"])
    ]
    group: Annotated[Group, Meta(description="Its group.", examples=["validation"])]
    retryable: Annotated[bool, Meta(description="Whether trying again may help.")]
    rule: Annotated[str, Meta(description="The rule that recognised it.")]
    user_message: Annotated[str, Meta(description="What happened, for a person.")]
    suggested_action: Annotated[str, Meta(description="What to do about it.")]
    error_message: Annotated[str, Meta(description="The error, masked and at most 2 KB.")]


class VerificationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a login that was tried just now."""

    name: fields.Source
    ok: Annotated[bool, Meta(description="Whether the login worked.", examples=[False])]
    state: Annotated[
        RunState,
        Meta(
            description="`completed` when it worked, else the phase in which it failed.",
            examples=["connecting"],
        ),
    ]
    duration_seconds: Annotated[float, Meta(description="How long it took.", examples=[0.42])]
    triage: Annotated[
        VerificationTriage | None, Meta(description="What went wrong; null when it worked.")
    ]
    timestamp: fields.Timestamp


def settings_shown(source: MailSource) -> dict[str, Any]:
    """The fields of an `Account` that come from its settings."""
    same = ("host", "tls", "username", "folder", "hours", "label_as", "dry_run", "enabled")
    oauth = source.oauth and OAuthInfo(
        token_url=source.oauth.token_url,
        client_id=source.oauth.client_id,
        scope=source.oauth.scope,
    )
    return {name: getattr(source, name) for name in same} | {
        "port": port_of(source),
        "oauth": oauth,
        "catch_up_hours": ceil(source.catch_up / 3600),
        "timeout_seconds": float(source.timeout),
        "deadline_seconds": float(source.deadline),
    }
