"""Who may open a socket: by a key in a header or a subprotocol, by a token, or as a local user."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple

from litestar import WebSocket
from litestar.exceptions import HTTPException
from msgspec import Meta

from api.query import Query, Text, parse
from api.security import Access
from api.sockets.closing import NO_MORE, Close, Refused
from api.sockets.tokens import Tokens
from daemon.access.keyring import Key
from daemon.access.roles import LOCAL, Role

PROTOCOL = "triaged.v1"
KEY_PROTOCOL = "triaged.key."
"""Goes before the key in base64url: a browser can set subprotocols, and no other header."""

Socket = WebSocket[Any, Any, Any]


class SocketQuery(Query, frozen=True, kw_only=True):
    """What may be in the address of a socket."""

    token: Annotated[Text | None, Meta(description="A token from `POST /api/token`.")] = None


class Visitor(NamedTuple):
    """Who opens a socket."""

    name: str
    """Of a key, or an address: whose sockets are counted together."""
    may_stay: Callable[[], bool]
    """Asked before it is told anything more; a socket that may not is closed."""


class Doorkeeper(NamedTuple):
    """Decides about every socket before it is told anything."""

    access: Access
    tokens: Tokens

    def admit(self, socket: Socket, role: Role) -> Visitor:
        """Who opens the socket, by key, token or as a local user. Raises `Refused`."""
        try:
            name, key = self._identify(socket, role)
        except HTTPException as error:
            raise Refused.of(error.status_code, error.detail) from error
        visitor = Visitor(name, partial(self.access.lasts, key))
        if name == LOCAL:
            return visitor._replace(name=f"{LOCAL} {socket.client.host if socket.client else ''}")
        if not visitor.may_stay():
            raise Refused(Close.UNAUTHENTICATED, NO_MORE)
        return visitor

    def _identify(self, socket: Socket, role: Role) -> tuple[str, Key | None]:
        wanted = parse(SocketQuery, socket.scope["query_string"])
        assert isinstance(wanted, SocketQuery)
        if wanted.token is not None:
            issued = self.tokens.redeem(wanted.token)
            if issued is None:
                self.access.guessed(socket)
                reason = "the token is not known, was used already, or has expired"
                raise Refused(Close.UNAUTHENTICATED, reason)
            if issued.name != LOCAL:
                return issued.name, issued.key
        name = self.access.admit(socket, role, _key_in(socket.scope["subprotocols"]))
        return name, self.access.held_by(name)


Admit = Callable[[Doorkeeper, Socket, str], Visitor]
"""Who opens a socket to the topic with this ID. Raises `Refused`."""


def readers(doorkeeper: Doorkeeper, socket: Socket, _: str) -> Visitor:
    """Admits everybody who may read."""
    return doorkeeper.admit(socket, "read")


def chosen_protocol(socket: Socket) -> str | None:
    """The subprotocol that the server speaks, if the client offers it."""
    return PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None


def _key_in(protocols: list[str]) -> str | None:
    """The API key among the subprotocols, if there is one."""
    given = next((p for p in protocols if p.startswith(KEY_PROTOCOL)), None)
    if given is None:
        return None
    encoded = given.removeprefix(KEY_PROTOCOL)
    try:
        return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:
        raise Refused(Close.BAD_REQUEST, "triaged.key: expected the key in base64url") from None
