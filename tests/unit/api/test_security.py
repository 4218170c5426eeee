"""Who may do what, and what every answer carries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import (
    HTTPException,
    NotAuthorizedException,
    PermissionDeniedException,
    TooManyRequestsException,
)

from api.security import Access
from daemon.access.keys_file import KeysFile
from daemon.clock import FakeClock
from daemon.errors import ConfigError
from daemon.store.audit import Audit, AuditFilter
from tests.unit.api_support import (
    OPERATE_KEY,
    READ_KEY,
    WITH_KEYS,
    Served,
    put_files,
    serving,
)

PAUSE = "/api/pipelines/mailbox/pause"


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("open")) as served:
        yield served


@pytest.fixture(scope="module")
def with_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("keys")
    put_files(folder)
    with serving(folder, WITH_KEYS) as served:
        served.run("ingest")
        yield served


@pytest.fixture
def to_break(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


@pytest.mark.requirement("S6")
@pytest.mark.parametrize(
    "path", ["/api/failures", "/api/runs", "/metrics", "/schema/openapi.json", "/"]
)
def test_without_a_key_nothing_is_shown(with_keys: Served, path: str) -> None:
    problem = with_keys.problem(401, path)
    assert problem["detail"] == "an API key is needed"
    refused = with_keys.client.get(path, headers={"x-api-key": "wrong" * 5})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="triaged"'


@pytest.mark.requirement("S6")
@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": READ_KEY},
        {"authorization": f"Bearer {READ_KEY}"},
        {"authorization": f"bearer  {READ_KEY}"},
        {"x-api-key": OPERATE_KEY},
    ],
)
def test_a_known_key_may_look(with_keys: Served, headers: dict[str, str]) -> None:
    assert with_keys.client.get("/api/failures", headers=headers).status_code == 200


@pytest.mark.requirement("S6")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", PAUSE),
        ("POST", "/api/pipelines/mailbox/run"),
        ("POST", "/api/ingestions/orders/files/retry"),
        ("GET", "/api/ingestions/orders/rejected"),
        ("GET", "/api/ingestions/orders/files/download?path=bad.csv"),
    ],
)
def test_a_key_that_may_read_cannot_operate(with_keys: Served, method: str, path: str) -> None:
    problem = with_keys.problem(403, path, method=method, headers={"x-api-key": READ_KEY})
    assert problem["detail"] == "this API key may read, but not operate"
    assert with_keys.daemon.runs.paused() == set()
    allowed = with_keys.client.request(method, path, headers={"x-api-key": OPERATE_KEY})
    assert allowed.is_success
    with_keys.daemon.pipeline_operations.resume("mailbox")


@pytest.mark.requirement("S6")
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_open_to_all(with_keys: Served, path: str) -> None:
    answer = with_keys.client.get(path, headers={"host": "anything.example"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


@pytest.mark.requirement("S6")
def test_with_keys_any_host_name_will_do(with_keys: Served) -> None:
    headers = {"host": "triaged.internal:8080", "x-api-key": READ_KEY}
    assert with_keys.client.get("/api/failures", headers=headers).status_code == 200


@pytest.mark.requirement("S6")
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil", "[::2]"),
        *(
            "[::1]evil.example",
            "[::1",
            "localhost:80:80",
            "localhost:port",
            "localhost..",
            "",
            ":80",
        ),
        *("evil@127.0.0.1", "127.0.0.1@evil.example", "0", "0x7f.1"),
    ],
)
def test_without_keys_another_host_name_is_refused(open_to_all: Served, host: str) -> None:
    open_to_all.problem(421, "/api/failures", headers={"host": host})


@pytest.mark.requirement("S6")
@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:1", "localhost.", "LocalHost.:80", "127.0.0.1:8080"),
        *("[::1]:8080", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]:80"),
    ],
)
def test_without_keys_this_machine_is_reached_by_its_names(open_to_all: Served, host: str) -> None:
    assert open_to_all.client.get("/api/failures", headers={"host": host}).status_code == 200


@pytest.mark.requirement("S6")
def test_other_hosts_without_keys_or_a_proxy_that_signs_in_are_refused_at_the_start(
    tmp_path: Path,
) -> None:
    with (
        pytest.raises(ConfigError, match=r"server\.hosts"),
        serving(tmp_path, '[server]\nhosts = ["triage.lan"]\n'),
    ):
        pass


@pytest.mark.requirement("S6")
@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "NULL",
        "http://127.0.0.1",
        "http://127.0.0.1:8080.evil.example",
        "http://127.0.0.1:8080/path",
        "http://evil@127.0.0.1:8080",
        "127.0.0.1:8080",
        "http://localhost:8080",
        "http://127.0.0.1:9999",
        "ftp://127.0.0.1:8080",
        "http://[",
    ],
)
def test_another_origin_changes_nothing(open_to_all: Served, origin: str) -> None:
    open_to_all.problem(403, PAUSE, method="POST", headers={"origin": origin})
    assert open_to_all.daemon.runs.paused() == set()


@pytest.mark.requirement("S6")
@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8080", "HTTP://127.0.0.1:8080", "https://127.0.0.1:8080"]
)
def test_the_own_origin_may_operate(open_to_all: Served, origin: str) -> None:
    headers = {"origin": origin}
    assert open_to_all.client.post(PAUSE, headers=headers).status_code == 200
    open_to_all.daemon.pipeline_operations.resume("mailbox")


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_must_be_json(open_to_all: Served, kind: str) -> None:
    open_to_all.problem(
        415, PAUSE, method="POST", content=b'{"a": 1}', headers={"content-type": kind}
    )


@pytest.mark.requirement("X4")
def test_a_body_of_more_than_a_megabyte_is_refused(open_to_all: Served) -> None:
    open_to_all.problem(
        413,
        "/api/pipelines/mailbox/run",
        method="POST",
        content=b" " * 1_000_001,
        headers={"content-type": "application/json"},
    )


@pytest.mark.requirement("X4")
def test_every_error_is_a_problem(open_to_all: Served) -> None:
    open_to_all.problem(404, "/nothing")
    open_to_all.problem(404, "/schema/nothing")
    open_to_all.problem(405, "/api/failures", method="DELETE")
    truncated = {"content": b'{"source"', "headers": {"content-type": "application/json"}}
    open_to_all.problem(400, "/api/pipelines/mailbox/run", method="POST", **truncated)


@pytest.mark.requirement("X4")
def test_a_method_that_is_not_taken_is_answered_with_those_that_are(open_to_all: Served) -> None:
    assert "GET" in open_to_all.client.delete("/api/failures").headers["allow"]


@pytest.mark.requirement("X3", "X4")
def test_a_store_that_cannot_be_read_is_unavailable(to_break: Served) -> None:
    to_break.daemon.database.close()
    problem = to_break.problem(503, "/api/failures")
    assert "store" in problem["detail"]
    to_break.problem(503, "/api/export/failures.csv")


@pytest.mark.requirement("X4")
def test_a_defect_is_not_described_to_the_outside(
    to_break: Served, caplog: pytest.LogCaptureFixture
) -> None:
    del to_break.daemon.failures._reader
    problem = to_break.problem(500, "/api/failures/1")
    assert problem["detail"] == "the request could not be answered; the log says why"
    assert caplog.records[-1].__dict__["event"] == "request_failed"
    assert caplog.records[-1].exc_info is not None


@pytest.mark.parametrize("path", ["/api/failures", "/nothing", "/healthz", "/"])
def test_every_answer_carries_the_security_headers(open_to_all: Served, path: str) -> None:
    headers = open_to_all.client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]


def test_the_page_has_no_scripts_and_its_style_is_allowed(open_to_all: Served) -> None:
    response = open_to_all.client.get("/")
    assert response.headers["content-type"].startswith("text/html")
    assert "<script" not in response.text
    assert "http" not in response.text.replace("http-equiv", "")
    assert "style-src 'sha256-" in response.headers["content-security-policy"]


def connection(kind: str, headers: dict[str, str], client: str = "127.0.0.1") -> Any:
    """A connection as the server hands it over."""
    scope = {
        "type": ScopeType(kind),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": (client, 1),
        "state": {},
    }
    return ASGIConnection[Any, Any, Any, Any](scope | ({"method": "GET"} if kind == "http" else {}))  # type: ignore[arg-type]


def access_of(served: Served) -> Access:
    offered = served.daemon.offered
    server = offered.settings.config.server
    return Access(server, offered.keyring, offered.metrics, offered.clock)


@pytest.mark.requirement("S6")
def test_a_socket_of_another_origin_is_refused_where_a_request_may_read(
    open_to_all: Served,
) -> None:
    access = access_of(open_to_all)
    headers = {"host": "127.0.0.1:8080", "origin": "http://evil.example"}
    assert access.admit(connection("http", headers), "read") == "local"
    with pytest.raises(PermissionDeniedException):
        access.admit(connection("websocket", headers), "read")
    own = headers | {"origin": "http://127.0.0.1:8080"}
    assert access.admit(connection("websocket", own), "admin") == "local"
    with pytest.raises(HTTPException):
        access.admit(connection("websocket", {"host": "evil.example"}), "read")


@pytest.mark.requirement("S6")
def test_a_socket_may_bring_its_key_by_another_way(with_keys: Served) -> None:
    access = access_of(with_keys)
    socket = connection("websocket", {"host": "any.example"})
    assert access.admit(socket, "read", READ_KEY) == "dashboard"
    with pytest.raises(PermissionDeniedException):
        access.admit(socket, "operate", READ_KEY)
    with pytest.raises(NotAuthorizedException):
        access.admit(socket, "read", "unknown" * 3)
    with pytest.raises(NotAuthorizedException):
        access.admit(socket, "read")


@pytest.mark.requirement("S6")
def test_who_uses_wrong_keys_waits_but_nobody_else_does(tmp_path: Path) -> None:
    clock = FakeClock()
    with serving(tmp_path, WITH_KEYS, clock) as served:
        access = access_of(served)
        asks = connection("http", {}, "192.0.2.1")
        assert access.admit(asks, "read", READ_KEY) == "dashboard"
        for _ in range(10):
            with pytest.raises(NotAuthorizedException):
                access.admit(asks, "read", "wrong" * 5)
        for given in ("wrong" * 5, OPERATE_KEY):
            with pytest.raises(TooManyRequestsException) as refused:
                access.admit(asks, "read", given)
            assert refused.value.headers == {"Retry-After": "1"}
        assert access.admit(asks, "read", READ_KEY) == "dashboard", "was used from there before"
        other = connection("http", {}, "192.0.2.2")
        assert access.admit(other, "read", OPERATE_KEY) == "on-call"
        clock.advance(1)
        assert access.admit(asks, "read", OPERATE_KEY) == "on-call"


@pytest.mark.requirement("S6", "X4")
def test_what_is_wrong_with_a_key_is_said_without_it(tmp_path: Path) -> None:
    clock = FakeClock()
    with serving(tmp_path, WITH_KEYS, clock) as served:
        file = KeysFile(served.daemon.settings.keys_path)
        now = clock.now()
        key = file.create("ann", "read", now, expires=now + timedelta(seconds=60))
        clock.advance(1)

        def said(given: str) -> str:
            problem = served.problem(401, "/api/runs", headers={"x-api-key": given})
            assert given not in str(problem)
            return str(problem["detail"])

        assert served.client.get("/api/runs", headers={"x-api-key": key}).status_code == 200
        assert said(key[:-1]) == "the API key is incomplete or mistyped"
        assert said("unknown" * 3) == "the API key is not known"
        clock.advance(60)
        assert said(key) == "the API key has expired"


@pytest.mark.requirement("S6")
def test_each_key_has_an_allowance_of_its_own(tmp_path: Path) -> None:
    config = "[server]\nrequests_per_minute = 6\n" + WITH_KEYS
    with serving(tmp_path, config, FakeClock()) as served:
        read, operate = {"x-api-key": READ_KEY}, {"x-api-key": OPERATE_KEY}
        assert served.client.get("/api/runs", headers=read).status_code == 200
        problem = served.client.get("/api/runs", headers=read)
        assert (problem.status_code, problem.headers["retry-after"]) == (429, "10")
        assert served.client.get("/api/runs", headers=operate).status_code == 200
        served.problem(429, PAUSE, method="POST", headers=operate)
        assert served.client.get("/metrics", headers=read).status_code == 200
        assert served.daemon.runs.paused() == set()
        entries = Audit(served.daemon.database.read()).total(AuditFilter())
        assert entries == 0, "a flood must not fill the trail"
