"""Requests as Grafana's data sources send them, with all their keys, are answered as they were recorded.

Each session is a file: requests in the shape that the plugins' own sources give them, and the answers, of
which every field and row that was recorded has to be there. What else there is concerns no panel.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.product import ROOT
from tests.support.recorded import as_recorded
from tests.unit.api_support import OPERATE_KEY, READ_KEY, WITH_KEYS, Served
from tests.unit.report_support import reporting

SESSIONS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "tests/grafana").glob("*")}
REQUESTS = [
    pytest.param(request, id=f"{session}: {request['name']}")
    for session, requests in sorted(SESSIONS.items())
    for request in requests
]
PREFIX = "/grafana/json"
A_DAY = {"from": "2026-11-20T00:00:00.000Z", "to": "2026-11-21T00:00:00.000Z"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with reporting(tmp_path_factory.mktemp("grafana")) as served:
        yield served


def ask(served: Served, request: dict[str, Any]) -> dict[str, Any]:
    """What a request is answered with."""
    answer = served.client.request(
        request["method"],
        request["path"],
        headers=request["headers"],
        content=json.dumps(request["body"]) if "body" in request else None,
    )
    kind = answer.headers["content-type"]
    return {
        "status": answer.status_code,
        "content-type": kind,
        "body": answer.json() if "json" in kind else list(csv.DictReader(answer.text.splitlines())),
    }


@pytest.mark.requirement("M4", "F1", "X4")
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_recorded_request_is_answered_with_every_field_that_was_recorded(
    served: Served, request_: dict[str, Any]
) -> None:
    recorded = request_["expected"]
    if "csv" in recorded["content-type"]:
        recorded = recorded | {"body": list(csv.DictReader(recorded["body"]))}
    assert as_recorded(ask(served, request_), recorded) == recorded


@pytest.mark.parametrize(
    ("answer", "recorded", "same"),
    [
        ({"id": 1, "new": 2}, {"id": 1}, True),
        ({"new": 2}, {"id": 1}, False),
        ([{"id": 1, "new": 2}], [{"id": 1}], True),
        ([{"id": 1}, {"id": 2}], [{"id": 1}], False),
        ({"id": None}, {"id": 1}, False),
        (
            {"type": "table", "columns": [{"text": "new"}, {"text": "id"}], "rows": [[2, 1]]},
            {"type": "table", "columns": [{"text": "id"}], "rows": [[1]]},
            True,
        ),
        (
            {"type": "table", "columns": [{"text": "new"}, {"text": "id"}], "rows": [[1, 2]]},
            {"type": "table", "columns": [{"text": "id"}], "rows": [[1]]},
            False,
        ),
    ],
)
def test_more_than_was_recorded_is_no_difference_and_anything_else_is(
    answer: object, recorded: object, same: bool
) -> None:
    assert (as_recorded(answer, recorded) == recorded) is same


def test_the_sessions_ask_for_everything_that_the_contracts_have(served: Served) -> None:
    asked = {r["path"].partition("?")[0] for session in SESSIONS.values() for r in session}
    there = {
        path
        for path in served.get("/schema/openapi.json")["paths"]
        if path.startswith(("/api/report/", PREFIX))
    }
    assert asked == there - {f"{PREFIX}/metrics"}


@pytest.mark.requirement("M4")
def test_every_metric_that_is_offered_is_answered_with_every_field_filled(served: Served) -> None:
    metrics = served.client.post(f"{PREFIX}/metrics", json={}).json()
    assert len(metrics) == 9
    for metric in metrics:
        payload = {}
        for field in metric["payloads"]:
            options = field.get("options")
            if options is None and field["type"] == "multi-select":
                body = {"metric": metric["value"], "name": field["name"], "payload": payload}
                answer = served.client.post(f"{PREFIX}/metric-payload-options", json=body)
                options = answer.json()
            values = [option["value"] for option in options or ()]
            payload[field["name"]] = values if field["type"] == "multi-select" else ""
        body = {"range": A_DAY, "targets": [{"target": metric["value"], "payload": payload}]}
        answer = served.client.post(f"{PREFIX}/query", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json(), metric["value"]


@pytest.mark.requirement("M4", "S6")
@pytest.mark.parametrize("path", ["metrics", "query", "variable", "tag-keys", "search"])
def test_questions_that_come_as_post_need_no_more_than_a_key_to_read(
    tmp_path_factory: pytest.TempPathFactory, path: str
) -> None:
    body = {"range": A_DAY, "targets": [], "payload": {"target": "source"}}
    with reporting(tmp_path_factory.mktemp("keys"), WITH_KEYS) as served:
        served.problem(401, f"{PREFIX}/{path}", method="POST", json=body)
        for key in (READ_KEY, OPERATE_KEY):
            headers = {"authorization": f"Bearer {key}"}
            answer = served.client.post(f"{PREFIX}/{path}", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
        assert served.daemon.database.read().rows("SELECT * FROM audit") == []


@pytest.mark.requirement("M4", "S6")
def test_without_keys_grafanas_server_may_ask_and_another_web_site_may_not(served: Served) -> None:
    path = f"{PREFIX}/search"
    assert served.client.post(path, json={}).status_code == 200
    foreign = {"origin": "https://evil.example"}
    served.problem(403, path, method="POST", json={}, headers=foreign)
    served.problem(415, path, method="POST", data={"target": "a"})


@pytest.mark.requirement("X4")
def test_a_body_that_is_no_json_is_refused(served: Served) -> None:
    headers = {"content-type": "application/json"}
    served.problem(400, f"{PREFIX}/query", method="POST", content=b"{", headers=headers)


def test_metrics_are_offered_without_a_body_too(served: Served) -> None:
    assert served.client.post(f"{PREFIX}/metrics").status_code == 200
    assert served.client.post(f"{PREFIX}/tag-keys").status_code == 200
