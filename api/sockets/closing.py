"""Why sockets are closed: the codes, their meaning, and the exception that stands for one."""

from __future__ import annotations

from enum import IntEnum

NO_MORE = (
    "what opened this socket is good no more: the first key was made, or the key revoked or expired"
)
LONGEST_REASON = 123
"""Bytes that a close frame has room for (RFC 6455, 5.5)."""


class Close(IntEnum):
    """Codes of our own, and the one of RFC 6455 for what is over. Its other usual ones occur as well."""

    ENDED = 1000
    BAD_REQUEST = 4400
    UNAUTHENTICATED = 4401
    REFUSED = 4403
    UNKNOWN = 4404
    TOO_SLOW = 4408
    TOO_MANY_OF_CLIENT = 4409
    LASTED = 4410
    TOO_MANY_REQUESTS = 4429
    FULL = 4503


MEANINGS = {
    Close.ENDED: "what was followed has ended; the last message says how",
    1009: "the message is larger than 16 KB",
    1011: "the server failed, or no answer came to its pings; connect again",
    1012: "the daemon stops or restarts; connect again later",
    Close.BAD_REQUEST: "the address of the socket has mistakes",
    Close.UNAUTHENTICATED: "a key or token is needed, and none that is known was given; or the key "
    "was revoked or has expired since",
    Close.REFUSED: "the key may not do this, or the page is of another origin or host",
    Close.UNKNOWN: "there is nothing of this name to follow, or not for this client",
    Close.TOO_SLOW: "the client did not take its messages for ten seconds",
    Close.TOO_MANY_OF_CLIENT: "the key, or the address, has as many sockets as it may",
    Close.LASTED: "the socket was open as long as one may be; connect again",
    Close.TOO_MANY_REQUESTS: "too many requests in too short a time",
    Close.FULL: "there are as many sockets as the server allows",
}
"""Every code that a client may see, for the documents."""

_BY_STATUS = {
    400: Close.BAD_REQUEST,
    401: Close.UNAUTHENTICATED,
    403: Close.REFUSED,
    421: Close.REFUSED,
    429: Close.TOO_MANY_REQUESTS,
}


class Refused(Exception):
    """The socket is closed with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        super().__init__(self.reason)

    @classmethod
    def of(cls, status: int, detail: str) -> Refused:
        """What an HTTP status means on a socket."""
        return cls(_BY_STATUS.get(status, 1011), detail)
