"""A topic that a part of the daemon publishes, followed over the running server."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from select import select
from typing import Any, NamedTuple

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from api.app import create_app
from api.schemas.live import Message
from api.sockets.admission import Doorkeeper, Socket, Visitor
from api.sockets.broadcaster import Pace
from api.sockets.closing import Close, Refused
from api.sockets.description import TOPICS, document
from api.sockets.kind import TopicKind
from api.sockets.published import Wording, published
from daemon.cli.serve import make_server
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
from tests.support.product import PATIENCE, wait_for


class Rows(msgspec.Struct, frozen=True):
    """How far an upload is."""

    done: int
    note: str = ""
    ended: bool = False


class Progress(Message, frozen=True, kw_only=True, tag="progress_update"):
    """How far it is."""

    data: Rows


class Complete(Message, frozen=True, kw_only=True, tag="upload_complete"):
    """How it ended."""

    data: Rows


class Errors(msgspec.Struct, frozen=True):
    """Rows that failed."""

    count: int
    rows: list[str]


class ErrorOccurred(Message, frozen=True, kw_only=True, tag="error_occurred"):
    """Rows failed."""

    data: Errors


made: list[str] = []
"""What messages were made of: notes and rows."""
revoked: set[str] = set()
"""Uploads whose owners may follow no more."""


def tell_state(rows: Rows, now: datetime) -> Message:
    made.append(rows.note)
    kind = Complete if rows.ended else Progress
    return kind(data=rows, timestamp=now, server_time=now)


def tell_errors(rows: Sequence[str], count: int, now: datetime) -> list[Message]:
    made.extend(rows)
    return [ErrorOccurred(data=Errors(count, list(rows)), timestamp=now, server_time=now)]


def owners(_: Doorkeeper, socket: Socket, upload: str) -> Visitor:
    """Admits who has the upload's own token."""
    if socket.query_params.get("token") != f"owner-of-{upload}":
        raise Refused(Close.UNAUTHENTICATED, "the token is not of this upload")
    return Visitor(f"owner of {upload}", lambda: upload not in revoked)


UPLOAD = TopicKind(
    name="upload",
    address="/ws/upload/{topic_id:str}",
    description="How an upload goes on.",
    tells=(Progress, ErrorOccurred, Complete),
    open=published("upload", Wording(tell_state, tell_errors, "errors")),
    admit=owners,
    pace=Pace(update=0.05, heartbeat=0.3, patience=0.5),
)


class Server(NamedTuple):
    """What the tests speak with."""

    daemon: Daemon
    port: int
    opened: ExitStack

    def follow(self, upload: str, token: str | None = None) -> ClientConnection:
        """An open socket of a client."""
        return self.open(f"/ws/upload/{upload}?token={token or f'owner-of-{upload}'}")

    def open(self, path: str) -> ClientConnection:
        address = f"ws://127.0.0.1:{self.port}{path}"
        return self.opened.enter_context(connect(address, compression=None))

    def metric(self, name: str, **labels: str) -> float | None:
        return self.daemon.metrics.registry.get_sample_value(name, labels)


@contextmanager
def serving(folder: Path, kind: TopicKind = UPLOAD, more: str = "") -> Iterator[Server]:
    """A daemon that serves the topics of a kind beside its own."""
    run = "tests.unit.api_support:flaky"
    (folder / "triaged.toml").write_text(f'[server]\n{more}[pipelines.idle]\nrun = "{run}"\n')
    daemon = Daemon(load_settings(folder / "triaged.toml", {}))
    daemon.start(schedule=False)
    listener = socket.create_server(("127.0.0.1", 0))
    server = make_server(daemon)
    server.config.app = create_app(daemon.offered, [*TOPICS, kind])
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    made.clear()
    revoked.clear()
    try:
        with ExitStack() as opened:
            yield Server(daemon, listener.getsockname()[1], opened)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        daemon.stop(1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as found:
        yield found


def hear(client: ClientConnection) -> Any:
    return json.loads(client.recv(PATIENCE))


def hear_type(client: ClientConnection, kind: str) -> Any:
    while (message := hear(client))["type"] != kind:
        pass
    return message


def hear_all(client: ClientConnection) -> list[Any]:
    """What comes until the server closes the socket."""
    heard = []
    with suppress(ConnectionClosed):
        while True:
            heard.append(hear(client))
    return heard


def test_who_follows_hears_the_state_at_once_then_progress_and_errors_and_at_last_the_end(
    server: Server,
) -> None:
    topic = server.daemon.topics.open("upload/x", Rows(0))
    client = server.follow("x")
    first = hear(client)
    assert set(first) == {"type", "data", "timestamp", "server_time"}
    assert (first["type"], first["data"]["done"]) == ("progress_update", 0)
    topic.show(Rows(10))
    while hear_type(client, "progress_update")["data"]["done"] != 10:
        pass
    topic.notify("row 11")
    error = hear_type(client, "error_occurred")["data"]
    assert error == {"count": 1, "rows": ["row 11"]}
    topic.end(Rows(11, ended=True))
    last = hear_all(client)[-1]
    assert (last["type"], last["data"]["done"]) == ("upload_complete", 11)
    assert (client.close_code, client.close_reason) == (1000, UPLOAD_ENDED)


UPLOAD_ENDED = "what was followed has ended; the last message says how"


def test_who_comes_late_hears_how_it_is_and_after_the_end_how_it_ended(server: Server) -> None:
    topic = server.daemon.topics.open("upload/x", Rows(0))
    topic.notify("row 1")
    topic.show(Rows(7))
    client = server.follow("x")
    assert hear(client)["data"]["done"] == 7
    topic.notify("row 8")
    assert hear_type(client, "error_occurred")["data"] == {"count": 1, "rows": ["row 8"]}
    topic.end(Rows(9, ended=True))
    late = server.follow("x")
    (only,) = hear_all(late)
    assert (only["type"], only["data"]["done"]) == ("upload_complete", 9)
    assert late.close_code == 1000


def test_a_topic_that_begins_anew_is_not_mistaken_for_the_one_that_ended(server: Server) -> None:
    topics = server.daemon.topics
    topics.open("upload/x", Rows(3)).end(Rows(3, ended=True))
    assert hear_all(server.follow("x"))[-1]["type"] == "upload_complete"
    again = topics.open("upload/x", Rows(0))
    client = server.follow("x")
    assert hear(client)["type"] == "progress_update"
    again.end(Rows(5, ended=True))
    assert hear_all(client)[-1]["data"]["done"] == 5


def test_many_updates_become_few_messages_and_no_error_is_lost(server: Server) -> None:
    topic = server.daemon.topics.open("upload/x", Rows(0))
    client = server.follow("x")
    first = hear(client)
    for number in range(20_000):
        topic.show(Rows(number))
        topic.notify(f"row {number}")
    topic.end(Rows(20_000, ended=True))
    heard = [first, *hear_all(client)]
    errors = [m["data"] for m in heard if m["type"] == "error_occurred"]
    assert sum(error["count"] for error in errors) == 20_000
    assert errors[-1]["rows"][-1] == "row 19999"
    assert len(errors) < 1_000
    states = [m for m in heard if m["type"] == "progress_update"]
    times = [datetime.fromisoformat(m["server_time"]) for m in states]
    assert all(later - earlier >= timedelta(seconds=0.049) for earlier, later in pairwise(times))


def test_without_news_there_is_a_heartbeat(server: Server) -> None:
    server.daemon.topics.open("upload/x", Rows(4))
    client = server.follow("x")
    assert [hear(client)["data"]["done"] for _ in range(4)] == [4] * 4


def test_a_topic_that_nobody_follows_costs_nothing(server: Server) -> None:
    topic = server.daemon.topics.open("upload/x", Rows(0, "of x"))
    server.daemon.topics.open("upload/y", Rows(0, "of y"))
    for number in range(1_000):
        topic.show(Rows(number, "of x"))
        topic.notify(f"row {number} of x")
    status = server.open("/ws/status")
    assert hear(status)["data"]["client_count"] == 1
    other = server.follow("y")
    hear(other)
    hear(other)
    assert set(made) == {"of y"}
    other.close()
    wait_for(lambda: server.metric("triaged_live_clients") == 1)
    made.clear()
    hear(status)
    hear(status)
    assert made == []


def test_what_is_not_there_is_refused_and_so_is_who_is_not_admitted(server: Server) -> None:
    server.daemon.topics.open("upload/x", Rows(0))
    for client, code, reason in (
        (server.follow("z"), 4404, "there is no upload of this name to follow"),
        (server.follow("x", "owner-of-y"), 4401, "the token is not of this upload"),
        (server.follow("z", "owner-of-y"), 4401, "the token is not of this upload"),
    ):
        assert hear_all(client) == []
        assert (client.close_code, client.close_reason) == (code, reason)
    assert server.metric("triaged_live_clients") == 0
    assert made == []


def test_who_may_stay_no_longer_is_dismissed_and_others_go_on(server: Server) -> None:
    topics = server.daemon.topics
    topics.open("upload/x", Rows(0))
    topics.open("upload/y", Rows(0))
    client, other = server.follow("x"), server.follow("y")
    revoked.add("x")
    hear_all(client)
    assert client.close_code == 4401
    assert hear(other)["data"]["done"] == 0
    hear(other)


def test_a_socket_is_open_no_longer_than_its_kind_allows(tmp_path: Path) -> None:
    brief = UPLOAD._replace(pace=UPLOAD.pace._replace(longest=0.5))
    with serving(tmp_path, brief) as server:
        server.daemon.topics.open("upload/x", Rows(0))
        client = server.follow("x")
        assert hear_all(client)
        assert client.close_code == 4410


@pytest.mark.requirement("S6")
def test_sockets_of_all_topics_count_together(tmp_path: Path) -> None:
    with serving(tmp_path, more="websocket_connections = 2\n") as server:
        server.daemon.topics.open("upload/x", Rows(0))
        status, client = server.open("/ws/status"), server.follow("x")
        assert hear(client)["type"] == "progress_update"
        assert hear(status)["data"]["client_count"] == 1
        assert server.metric("triaged_live_clients") == 2
        refused = server.follow("x")
        assert hear_all(refused) == []
        assert refused.close_code == 4503


def test_text_from_outside_is_data_and_nothing_else(server: Server) -> None:
    note = '"}\n{"type":"upload_complete"}</script>\u2028\x00=1+1 ' + "é" * 10
    server.daemon.topics.open("upload/x", Rows(1, note))
    heard = hear(server.follow("x"))
    assert (heard["type"], heard["data"]["note"]) == ("progress_update", note)


def test_only_what_the_kind_knows_is_answered(server: Server) -> None:
    server.daemon.topics.open("upload/x", Rows(0))
    client = server.follow("x")
    client.send('{"type": "ping"}')
    assert hear_type(client, "pong")["data"] == {}
    client.send('{"type": "get_recent_runs"}')
    told = hear_type(client, "error")["data"]["message"]
    assert told.startswith("expected a message of type ping: ")


def deaf_client(server: Server) -> socket.socket:
    """Follows an upload, and never reads."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", server.port))
    deaf.sendall(
        f"GET /ws/upload/x?token=owner-of-x HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return deaf


@pytest.mark.requirement("S8")
def test_who_does_not_read_is_dropped_counted_and_keeps_nobody_waiting(server: Server) -> None:
    topic = server.daemon.topics.open("upload/x", Rows(0))
    healthy = server.follow("x")
    hear(healthy)
    deaf = deaf_client(server)
    wait_for(lambda: server.metric("triaged_live_clients") == 2)
    rounds = 0
    while not server.metric("triaged_live_dropped_total"):
        rounds += 1
        topic.show(Rows(rounds, "x" * 50_000))
        topic.notify(f"row {rounds}")
        while hear_type(healthy, "progress_update")["data"]["done"] != rounds:
            pass
    wait_for(lambda: server.metric("triaged_live_clients") == 1)
    assert server.metric("triaged_live_dropped_total") == 1
    assert server.metric("triaged_notifications_dropped_total", channel="socket")
    topic.end(Rows(rounds, ended=True))
    assert hear_all(healthy)[-1]["type"] == "upload_complete"
    deaf.close()


PINGS = (b"\x89\xfd" + b"\0" * 4 + b"x" * 125) * 1_000
"""Frames that each ask for an answer of nearly the same size."""
MOST_TAKEN = 12_000_000
"""Bytes, most of which wait in the kernel. A server that goes on listening takes three times as many."""


@pytest.mark.requirement("S8")
@pytest.mark.parametrize("admitted", [True, False])
def test_who_asks_for_answers_and_never_reads_is_not_listened_to_and_comes_to_an_end(
    server: Server, *, admitted: bool
) -> None:
    topic = server.daemon.topics.open("upload/x", Rows(0))
    flooding = deaf_client(server)
    if admitted:
        wait_for(lambda: server.metric("triaged_live_clients") == 1)
    flooding.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    flooding.settimeout(PATIENCE)
    taken = 0
    with suppress(ConnectionResetError, BrokenPipeError):
        while True:
            topic.show(Rows(taken))
            taken += flooding.send(PINGS[taken % len(PINGS) :])
    assert taken < MOST_TAKEN
    wait_for(lambda: server.metric("triaged_live_clients") == 0)


PONG = b"\x8a\x7d" + b"x" * 125


def test_who_reads_again_is_listened_to_again(tmp_path: Path) -> None:
    patient = UPLOAD._replace(pace=UPLOAD.pace._replace(patience=PATIENCE))
    with serving(tmp_path, patient) as server:
        server.daemon.topics.open("upload/x", Rows(0))
        client = deaf_client(server)
        wait_for(lambda: server.metric("triaged_live_clients") == 1)
        client.settimeout(PATIENCE)
        asking = threading.Thread(target=client.sendall, args=(PINGS * 30,), daemon=True)
        asking.start()
        while select([], [client], [], 0.5)[1]:
            pass  # the server listens still
        heard = bytearray()
        while heard.count(PONG) < 30_000:
            heard += client.recv(1_000_000)
        asking.join()
        client.close()


def test_a_kind_of_topic_is_described_beside_the_others() -> None:
    described = document([*TOPICS, UPLOAD])
    assert described["channels"]["status"] == document()["channels"]["status"]
    assert described["channels"]["upload"]["address"] == "/ws/upload/{topic_id}"
    assert set(described["operations"]) == {"tell", "ask", "tell_upload", "ask_upload"}
    told = described["operations"]["tell_upload"]["messages"]
    assert [message["$ref"].rsplit("/")[-1] for message in told] == [
        *("progress_update", "error_occurred", "upload_complete", "pong", "error")
    ]
