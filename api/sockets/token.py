"""Tokens for sockets, on request."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar.di import NamedDependency
from msgspec import Meta

from api.routes import commands
from api.security import Access
from api.sockets.tokens import LIFETIME, Tokens


class SocketToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that opens one socket."""

    token: Annotated[
        str, Meta(description="Goes into the address of the socket as `?token=`. Works once.")
    ]
    expires_at: Annotated[datetime, Meta(description="Until when it works, in UTC.")]
    expires_in: Annotated[int, Meta(description="Seconds until then.", examples=[60])]


@commands(
    "/api/token",
    action=None,
    role="read",
    summary="A token that opens a socket",
    operation_id="createToken",
    status_code=201,
)
def issue_token(
    tokens: NamedDependency[Tokens], access: NamedDependency[Access], by: NamedDependency[str]
) -> SocketToken:
    """For browsers, which cannot send a key with a socket. The token does what a read key may do."""
    token, expires = tokens.issue(by, access.held_by(by))
    return SocketToken(token=token, expires_at=expires, expires_in=int(LIFETIME.total_seconds()))
