"""Who may open a socket: by a key in a header or a subprotocol, by a token, or as a local user."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Annotated, Any, NamedTuple

from litestar import WebSocket
from litestar.exceptions import HTTPException
from msgspec import Meta

from api.query import Query, Text, parse
from api.security import Access
from api.sockets.closing import Close, Refused
from api.sockets.tokens import Tokens
from daemon.access.roles import LOCAL, Role

PROTOCOL = "triaged.v1"
KEY_PROTOCOL = "triaged.key."
"""Goes before the key in base64url: a browser can set subprotocols, and no other header."""

Socket = WebSocket[Any, Any, Any]


class SocketQuery(Query, frozen=True, kw_only=True):
    """What may be in the address of a socket."""

    token: Annotated[Text | None, Meta(description="A token from `POST /api/token`.")] = None


class Doorkeeper(NamedTuple):
    """Decides about every socket before it is told anything."""

    access: Access
    tokens: Tokens

    def admit(self, socket: Socket, role: Role) -> str:
        """Who opens the socket: the name of a key, or an address. Raises `Refused`."""
        try:
            name = self._name(socket, role)
        except HTTPException as error:
            raise Refused.of(error.status_code, error.detail) from error
        return name if name != LOCAL else f"{LOCAL} {socket.client.host if socket.client else ''}"

    def _name(self, socket: Socket, role: Role) -> str:
        wanted = parse(SocketQuery, socket.scope["query_string"])
        assert isinstance(wanted, SocketQuery)
        if wanted.token is not None:
            name = self.tokens.redeem(wanted.token)
            if name is None:
                reason = "the token is not known, was used already, or has expired"
                raise Refused(Close.UNAUTHENTICATED, reason)
            if name != LOCAL:
                return name
        return self.access.admit(socket, role, _key_in(socket.scope["subprotocols"]))


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
