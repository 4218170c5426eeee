"""Live status over WebSocket, on the running product (requirements S4, F7, S6, S8)."""

from __future__ import annotations

import json
import socket
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.live import Listener, server_time
from tests.support.product import BAD, GOOD, Product, wait_for

STEERED = """
import json, pathlib, time
def work(run):
    '''Does what the lines of a file say, as they are added.'''
    script, done = pathlib.Path(run.options["script"]), 0
    while True:
        text = script.read_text() if script.exists() else ""
        lines = text[: text.rfind("\\n") + 1].splitlines()
        for line in lines[done:]:
            done += 1
            call, *given = json.loads(line)
            if call == "return":
                return
            if call == "fail_many":
                for n in range(given[0]):
                    run.fail(f"item {n}", "connection refused")
            elif call == "progress_many":
                for n in range(given[0]):
                    run.progress(n + 1, given[0])
                    time.sleep(0.001)
            else:
                getattr(run, call)(*given)
        time.sleep(0.005)
"""
LEAST = timedelta(milliseconds=249)
"""What lies between two updates, by clocks that round."""
READ_KEY, OPERATE_KEY = "read-" + "r" * 20, "operate-" + "o" * 20
KEYS = """
[[server.keys]]
name = "dashboard"
role = "read"
key_env = "READ_KEY"
[[server.keys]]
name = "on-call"
role = "operate"
key_env = "OPERATE_KEY"
"""
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "READ_KEY": READ_KEY, "OPERATE_KEY": OPERATE_KEY}

Listen = Callable[..., Listener]


@pytest.fixture
def listen(product: Product) -> Iterator[Listen]:
    """Opens sockets, closed afterwards."""
    opened: list[Listener] = []

    def open_one(query: str = "", **options: Any) -> Listener:
        opened.append(Listener(product, query, **options))
        return opened[-1]

    yield open_one
    product.kill()
    for listener in opened:
        listener.close()


class Steered:
    """A product with a run that does what it is told."""

    def __init__(self, product: Product, server: str = "") -> None:
        (product.folder / "steered.py").write_text(STEERED)
        self._script = product.folder / "script"
        product.configure(
            '[pipelines.steered]\nrun = "steered:work"\n'
            f'[pipelines.steered.sources.box]\noptions = {{ script = "{self._script}" }}\n',
            server,
        )
        product.start()
        self._product = product

    def begin(self) -> None:
        self._product.post("/api/pipelines/steered/run")

    def tell(self, *calls: list[Any]) -> None:
        with self._script.open("a") as script:
            script.writelines(json.dumps(call) + "\n" for call in calls)


@pytest.fixture
def steered(product: Product) -> Steered:
    return Steered(product)


@pytest.mark.requirement("S4", "F7")
def test_the_current_status_comes_at_once_and_is_the_one_of_the_rest_api(
    product: Product, listen: Listen
) -> None:
    product.configure_orders(every="1h")
    product.drop("good.csv", GOOD)
    product.drop("bad.csv", BAD)
    product.start()
    product.wait_for_file("bad.csv", "partial")
    first = listen().hear()
    assert set(first) == {"type", "data", "timestamp", "server_time"}
    assert first["type"] == "status_update"
    rest = product.get("/api/processing/current-status", include_stats=True)
    assert rest["websocket_available"] is True
    data = first["data"]
    assert data["current_processing"] == rest["current_status"]
    assert data["active"] == rest["active"]
    assert data["recent_runs"] == rest["recent_runs"]
    assert data["statistics"]["totals"] == rest["statistics"]["totals"]
    assert data["most_recent_failure"] == rest["failure_summary"]["most_recent_failure"]
    assert data["failure_count"] == rest["failure_summary"]["failure_count"] == 2
    assert data["has_failures"] is True
    assert data["client_count"] == 1


@pytest.mark.requirement("S4", "S1")
def test_a_run_is_followed_through_its_states_to_its_end(steered: Steered, listen: Listen) -> None:
    listener = listen()
    assert listener.hear()["data"]["active"] == []
    steered.begin()
    steered.tell(["step", "fetching", "fetching the orders"], ["progress", 3, 9])

    def fetches(message: Any) -> bool:
        now = message["data"].get("current_processing")
        return bool(now) and now["progress"] == {"current": 3, "total": 9}

    now = listener.hear_until(fetches)["data"]["current_processing"]
    assert (now["pipeline"], now["source"]) == ("steered", "box")
    assert (now["state"], now["current_step"]) == ("fetching", "fetching the orders")
    steered.tell(["succeed", "one"], ["return"])
    ended = listener.hear_until(lambda message: message["data"].get("recent_runs"))
    assert ended["data"]["recent_runs"][0]["run_id"] == now["run_id"]
    assert ended["data"]["recent_runs"][0]["final_state"] == "COMPLETED"


@pytest.mark.requirement("S4", "S8")
def test_many_changes_become_few_updates(steered: Steered, listen: Listen) -> None:
    listener = listen()
    listener.hear()
    steered.begin()
    steered.tell(["progress_many", 2000])
    listener.hear_until(
        lambda m: (
            (m["data"].get("current_processing") or {}).get("progress")
            == {"current": 2000, "total": 2000}
        )
    )
    updates = [m for m in listener.heard if m["type"] == "status_update"]
    times = list(map(server_time, updates))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(updates) > 3
    assert all(gap >= LEAST for gap in gaps), gaps


@pytest.mark.requirement("S4")
def test_without_any_change_there_is_a_heartbeat(steered: Steered, listen: Listen) -> None:
    listener = listen()
    times = [server_time(listener.hear()) for _ in range(4)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    # Sent after 1.5 seconds, so that it arrives within two also where the machine is busy.
    assert all(gap >= timedelta(seconds=1.4) for gap in gaps), gaps
    assert all(m["type"] == "status_update" for m in listener.heard)


@pytest.mark.requirement("S4")
def test_clients_are_answered_and_mistakes_do_not_close_the_socket(
    steered: Steered, listen: Listen
) -> None:
    steered.begin()
    steered.tell(["succeed", "one"], ["return"])
    listener = listen()
    listener.hear_until(lambda message: message["data"].get("recent_runs"))
    listener.ask({"type": "get_recent_runs"})
    (run,) = listener.hear_type("recent_runs")["data"]["recent_runs"]
    assert run["source"] == "box"
    mistakes: list[Any] = [
        {"type": "unknown"},
        {"type": "get_recent_runs", "limit": 51},
        {"type": "get_recent_runs", "more": 1},
        {"no": "type"},
        [],
        "not JSON",
        "[" * 5000,
        "",
        b"\x00\xff",
    ]
    for mistake in mistakes:
        listener.ask(mistake)
        assert "expected" in listener.hear_type("error")["data"]["message"].lower()
    listener.ask({"type": "ping"})
    assert listener.hear_type("pong")["data"] == {}


@pytest.mark.requirement("S4", "S6")
def test_a_message_that_is_too_large_is_refused(steered: Steered, listen: Listen) -> None:
    listener = listen()
    listener.ask("x" * 16_385)
    assert listener.closed_with()[0] == 1009


@pytest.mark.requirement("S4", "S6")
def test_a_client_that_floods_is_answered_at_a_bounded_rate(
    steered: Steered, listen: Listen
) -> None:
    listener = listen()
    listener.hear()
    for _ in range(30):
        listener.ask({"type": "ping"})
    pongs = [server_time(listener.hear_type("pong")) for _ in range(30)]
    # Twenty at once, and the other ten at five a second.
    assert pongs[-1] - pongs[0] >= timedelta(seconds=1.8)


@pytest.mark.requirement("F7", "S4")
def test_failures_under_load_are_coalesced_and_none_is_lost(
    product: Product, steered: Steered, listen: Listen
) -> None:
    listeners = [listen(), listen()]
    for listener in listeners:
        listener.hear()
    steered.begin()
    steered.tell(["fail_many", 3000], ["return"])
    for listener in listeners:
        listener.hear_until(lambda _, listener=listener: listener.failures() >= 3000)
        told = [m["data"] for m in listener.heard if m["type"] == "failure"]
        assert listener.failures() == 3000
        assert len(told) < 100
        assert all(1 <= len(data["failures"]) <= 10 for data in told)
    newest = told[-1]["failures"][0]
    assert newest == product.get(f"/api/failures/{newest['id']}")
    stored = product.get("/api/failures", limit=1)["total_failures"]
    assert stored == 3000


@pytest.mark.requirement("F7")
def test_failures_from_before_are_not_told_as_new(
    product: Product, steered: Steered, listen: Listen
) -> None:
    steered.begin()
    steered.tell(["fail_many", 5])
    wait_for(lambda: product.get("/api/failures")["total_failures"] == 5)
    listener = listen()
    assert listener.hear()["data"]["failure_count"] == 5
    steered.tell(["fail", "another", "connection reset by peer"], ["return"])
    told = listener.hear_type("failure")["data"]
    assert told["count"] == len(told["failures"]) == 1
    assert told["failures"][0]["item"] == "another"
    assert listener.failures() == 1


@pytest.mark.requirement("S4", "S6")
def test_there_are_no_more_sockets_than_configured(product: Product, listen: Listen) -> None:
    Steered(product, "websocket_connections = 2\n")
    first, second = listen(), listen()
    assert first.hear()["type"] == second.hear()["type"] == "status_update"
    wait_for(lambda: product.metrics()["triaged_live_clients"] == 2)
    code, reason = listen().closed_with()
    assert (code, reason) == (4503, "all 2 sockets are taken: poll, or try again later")
    first.close()
    wait_for(lambda: product.metrics()["triaged_live_clients"] == 1)
    assert listen().hear()["data"]["client_count"] == 2


@pytest.mark.requirement("S4", "S6")
def test_one_client_cannot_take_all_sockets(product: Product, listen: Listen) -> None:
    limit = "websocket_connections_per_client = 1\n"
    start_with_keys(product, limit)
    reader = {"X-API-Key": READ_KEY}
    assert listen(additional_headers=reader).hear()["type"] == "status_update"
    assert listen(additional_headers=reader).closed_with()[0] == 4409
    other = listen(additional_headers={"X-API-Key": OPERATE_KEY})
    assert other.hear()["data"]["client_count"] == 2


def start_with_keys(product: Product, server: str = "") -> None:
    """A product that asks for keys and answers."""
    product.configure('[pipelines.idle]\nrun = "idle:work"\n', server + KEYS)
    (product.folder / "idle.py").write_text("def work(run):\n    run.skip()\n")
    product.start(env=ENVIRONMENT)


@pytest.mark.requirement("S6", "S4")
def test_a_key_opens_a_socket_by_header_subprotocol_or_token(
    product: Product, listen: Listen
) -> None:
    start_with_keys(product)
    for headers in ({"Authorization": f"Bearer {READ_KEY}"}, {"X-API-Key": OPERATE_KEY}):
        assert listen(additional_headers=headers).hear()["type"] == "status_update"
    encoded = urlsafe_b64encode(READ_KEY.encode()).decode().rstrip("=")
    by_protocol = listen(subprotocols=["triaged.v1", f"triaged.key.{encoded}"])
    assert by_protocol.hear()["type"] == "status_update"
    assert by_protocol.socket.subprotocol == "triaged.v1"
    answer = httpx.post(f"{product.url}/api/token", headers={"X-API-Key": READ_KEY})
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert answer.json()["expires_in"] == 60
    assert listen(f"?token={token}").hear()["type"] == "status_update"
    again = listen(f"?token={token}").closed_with()
    assert again == (4401, "the token is not known, was used already, or has expired")
    assert READ_KEY not in product.log.read_text()
    assert token not in product.log.read_text()


@pytest.mark.requirement("S6", "S4")
def test_without_a_known_key_a_socket_is_closed_before_it_is_told_anything(
    product: Product, listen: Listen
) -> None:
    start_with_keys(product)
    refused: list[tuple[str, dict[str, Any], int]] = [
        ("", {}, 4401),
        ("", {"additional_headers": {"X-API-Key": "wrong" * 5}}, 4401),
        ("", {"subprotocols": ["triaged.v1", "triaged.key.d3Jvbmc"]}, 4401),
        ("", {"subprotocols": ["triaged.v1", "triaged.key.x"]}, 4400),
        ("?token=unknown", {}, 4401),
        (f"?key={READ_KEY}", {}, 4400),
    ]
    for query, options, code in refused:
        listener = listen(query, **options)
        assert (listener.closed_with()[0], listener.heard) == (code, []), (query, options)
    assert httpx.post(f"{product.url}/api/token").status_code == 401


@pytest.mark.requirement("S6", "S4")
def test_guessing_tokens_is_slowed_down(steered: Steered, listen: Listen) -> None:
    codes = [listen(f"?token=guess-{number}").closed_with()[0] for number in range(30)]
    assert codes[:10] == [4401] * 10
    assert 4429 in codes


@pytest.mark.requirement("S6", "S4")
def test_sockets_end_with_the_key_that_opened_them_and_no_others(
    product: Product, listen: Listen
) -> None:
    start_with_keys(product)

    def token(*arguments: str) -> str:
        config = ("--config", str(product.config))
        done = product.command("token", *arguments, *config, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def make(name: str) -> dict[str, str]:
        key = {"X-API-Key": token("create", name, "--role", "read")}
        wait_for(lambda: httpx.get(f"{product.url}/api/runs", headers=key).status_code == 200)
        return key

    ann = make("ann")
    tokens = [httpx.post(f"{product.url}/api/token", headers=ann).json()["token"] for _ in range(2)]
    of_ann = [listen(additional_headers=ann), listen(f"?token={tokens[0]}")]
    of_others = listen(additional_headers={"X-API-Key": READ_KEY})
    for listener in (*of_ann, of_others):
        listener.hear()
    token("revoke", "ann")
    make("ann")  # another key of the same name does not keep them open
    assert [listener.closed_with()[0] for listener in of_ann] == [4401] * 2
    assert listen(f"?token={tokens[1]}").closed_with()[0] == 4401
    of_others.ask({"type": "ping"})
    assert of_others.hear_type("pong")


@pytest.mark.requirement("S6", "S4")
def test_the_first_key_ends_the_sockets_of_local_users(
    product: Product, steered: Steered, listen: Listen
) -> None:
    listener = listen()
    listener.hear()
    config = ("--config", str(product.config))
    product.command("token", "create", "ann", "--role", "read", *config)
    assert listener.closed_with()[0] == 4401


@pytest.mark.requirement("S6", "S4")
def test_without_keys_another_web_site_cannot_listen_in(
    product: Product, steered: Steered, listen: Listen
) -> None:
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{product.port + 1}"):
        listener = listen(origin=origin)
        assert (listener.closed_with()[0], listener.heard) == (4403, [])
    host = listen(host="evil.example")
    assert (host.closed_with()[0], host.heard) == (4403, [])
    assert listen(origin=product.url).hear()["type"] == "status_update"


@pytest.mark.slow
@pytest.mark.requirement("S8", "F7")
def test_a_client_that_does_not_read_is_dropped_and_nobody_else_notices(
    product: Product, steered: Steered, listen: Listen
) -> None:
    deaf = deaf_client(product)
    healthy = listen()
    healthy.hear()
    steered.begin()
    dropped = "triaged_live_dropped_total"
    # Long steps make the status large, so that the buffers of the one who does not read fill up.
    words = "x" * 4000
    rounds = 0
    while not product.metrics()[dropped]:
        rounds += 1
        steered.tell(["step", "processing", f"{rounds} {words}"], ["fail", f"item {rounds}", "no"])
        healthy.hear_until(lambda _, wanted=rounds: healthy.failures() >= wanted)
    steered.tell(["return"])
    metrics = product.metrics()
    assert metrics[dropped] == 1
    assert metrics['triaged_notifications_dropped_total{channel="socket"}'] > 0
    assert healthy.failures() == rounds == product.get("/api/failures")["total_failures"]
    assert '"event":"live_dropped"' in product.log.read_text()
    wait_for(lambda: product.metrics()["triaged_live_clients"] == 1)
    deaf.close()


def deaf_client(product: Product) -> socket.socket:
    """A client that connects and then never reads, with little room for what comes."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", product.port))
    client.sendall(
        f"GET /ws/status HTTP/1.1\r\nHost: 127.0.0.1:{product.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    wait_for(lambda: product.metrics()["triaged_live_clients"] == 1)
    return client


@pytest.mark.requirement("S4")
def test_at_the_end_all_sockets_are_closed_at_once(
    product: Product, steered: Steered, listen: Listen
) -> None:
    deaf = deaf_client(product)
    listener = listen()
    listener.hear()
    steered.begin()
    steered.tell(["step", "processing", "a run goes on"])
    listener.hear_until(lambda m: m["data"].get("active"))
    assert product.process is not None
    product.process.terminate()
    assert listener.closed_with()[0] == 1012
    steered.tell(["return"])
    assert product.process.wait(30) == 0
    assert "Cancel" not in product.log.read_text()
    deaf.close()
    with pytest.raises((ConnectionClosed, InvalidStatus, OSError)):
        listen()


@pytest.mark.requirement("S8")
def test_a_socket_that_dies_without_a_word_is_forgotten(
    product: Product, steered: Steered, listen: Listen
) -> None:
    deaf = deaf_client(product)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    deaf.close()  # resets the connection
    wait_for(lambda: product.metrics()["triaged_live_clients"] == 0)
    assert product.metrics()["triaged_live_dropped_total"] == 0
