"""The status as a topic: what goes on and what fails, as it happens."""

from __future__ import annotations

from api.schemas.live import FailureNotice, GetRecentRuns, RecentRuns, StatusUpdate
from api.sockets.admission import KEY_PROTOCOL, PROTOCOL
from api.sockets.board import Board
from api.sockets.feed import Opened
from api.sockets.kind import TopicKind
from daemon.composition.offered import Offered


def _open(offered: Offered) -> Opened:
    board = Board(offered)
    return lambda _: board


STATUS = TopicKind(
    name="status",
    address="/ws/status",
    description="What goes on and what fails, as it happens. With API keys: as Authorization or "
    f"X-API-Key header, as subprotocol {KEY_PROTOCOL}BASE64URL beside {PROTOCOL}, or a token.",
    tells=(StatusUpdate, FailureNotice, RecentRuns),
    asks=(GetRecentRuns,),
    open=_open,
)
