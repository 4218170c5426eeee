"""The audit trail by API: what is entered when, and who may see it."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.access.keys_file import KeysFile
from daemon.events import Audited
from daemon.store.audit import Audit, AuditFilter
from daemon.store.entries import Committed
from tests.unit.api_support import KEYS, WITH_KEYS, Served, put_files, serving, until

PAUSE = "/api/pipelines/mailbox/pause"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    put_files(tmp_path)
    with serving(tmp_path) as served:
        served.run("ingest")
        yield served


def entries(served: Served, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.get("/api/audit", **filters)["entries"]
    return found


@pytest.mark.requirement("U6")
def test_an_entry_says_who_did_what_to_what(served: Served) -> None:
    group = served.get("/api/failures/groups")["groups"][0]["failure_group"]
    body = {"note": "token=abcdef0123456789abcdef, ask bob@example.com"}
    served.client.post(f"/api/failures/groups/{group}/resolve", json=body)
    (entry,) = entries(served)
    assert entry | {"id": 0, "at": ""} == {
        "id": 0,
        "at": "",
        "by": "local",
        "action": "groups.resolve",
        "subject": group,
        "outcome": "done",
        "reason": None,
        "details": '{"note":"token=***, ask [email]"}',
    }


@pytest.mark.requirement("U6")
def test_a_refusal_is_entered_with_its_reason(served: Served) -> None:
    served.problem(404, "/api/pipelines/none/pause", method="POST")
    served.problem(400, "/api/retries", method="POST", json={"failure_ids": [1], "filter": {}})
    served.problem(415, PAUSE, method="POST", content=b"{}")
    served.problem(404, "/api/ingestions/orders/files/ignore", method="POST", json={"paths": ["x"]})
    said = [(e["action"], e["subject"], e["outcome"], e["reason"]) for e in entries(served)]
    assert said == [
        ("files.ignore", "orders", "refused", "not_found"),
        ("pipelines.pause", "mailbox", "refused", "not_json"),
        ("failures.retry", None, "refused", "invalid"),
        ("pipelines.pause", "none", "refused", "not_found"),
    ]


@pytest.mark.requirement("U6")
def test_reading_leaves_no_entry(served: Served) -> None:
    served.get("/api/failures")
    assert entries(served) == []


@pytest.mark.requirement("U6")
def test_another_origin_cannot_fill_the_trail(served: Served) -> None:
    served.problem(403, PAUSE, method="POST", headers={"origin": "http://evil.example"})
    assert entries(served) == []


@pytest.mark.requirement("U6", "X3")
def test_the_entry_is_stored_ahead_of_the_decision_with_one_wait(served: Served) -> None:
    seen: list[str] = []

    def follow(committed: Committed) -> None:
        seen.extend(type(entry.event).__name__ for entry in committed.entries)

    served.daemon.writer.flush()
    served.daemon.recorder.subscribe(follow)
    assert served.client.post(PAUSE).status_code == 200
    assert seen == ["Audited", "PipelinePaused"]


@pytest.mark.requirement("U6", "X3")
def test_an_answer_waits_for_its_entry(served: Served) -> None:
    """While the store is busy with something else, nothing is answered; after it, at once."""
    busy, go_on = threading.Event(), threading.Event()

    def block(_: Any) -> None:
        busy.set()
        go_on.wait(20)

    served.daemon.writer.do(block)
    busy.wait(20)
    answers: list[int] = []
    path = "/api/pipelines/none/run"
    asking = threading.Thread(target=lambda: answers.append(served.client.post(path).status_code))
    asking.start()
    until(lambda: served.daemon.writer.pending == 1)
    assert answers == []
    go_on.set()
    asking.join(20)
    assert answers == [404]
    assert entries(served)[0]["subject"] == "none"


@pytest.mark.requirement("X3", "U6")
def test_what_cannot_be_entered_is_answered_as_unavailable(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.trail.STORE_SECONDS", 0.05)
    go_on = threading.Event()
    served.daemon.writer.do(lambda _: bool(go_on.wait(20)) and None)
    problem = served.problem(503, "/api/pipelines/none/run", method="POST")
    assert "audit trail" in problem["detail"]
    go_on.set()
    assert served.daemon.writer.flush(20)
    assert entries(served)[0]["reason"] == "not_found"


@pytest.mark.requirement("U6", "X4")
def test_pages_and_filters_of_the_trail(served: Served) -> None:
    for name in ("mailbox", "patient", "none"):
        served.client.post(f"/api/pipelines/{name}/pause")
        served.client.post(f"/api/pipelines/{name}/resume")
    first = served.get("/api/audit", limit=4)
    rest = served.get("/api/audit", limit=4, cursor=first["next_cursor"])
    assert (first["total_entries"], len(rest["entries"]), rest["next_cursor"]) == (6, 2, None)
    found = entries(served, action="pipelines.pause", subject="mailbox", by="local", q="DONE")
    assert len(found) == 1
    assert entries(served, since="2999-01-01T00:00:00Z") == []
    served.problem(400, "/api/audit?actoin=pipelines.pause")
    served.problem(400, "/api/audit?cursor=1")


@pytest.mark.requirement("U6")
def test_the_trail_comes_as_csv(served: Served) -> None:
    served.client.post("/api/pipelines/=cmd()/pause")
    answer = served.client.get("/api/export/audit.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert "audit-" in answer.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["action"], row["subject"]) == ("pipelines.pause", "'=cmd()")


@pytest.mark.requirement("S6", "U6")
def test_the_trail_knows_keys_that_came_and_went_while_no_daemon_ran(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        now, file = served.daemon.clock.now(), KeysFile(served.daemon.settings.keys_path)
    key = file.create("ann", "admin", now)
    file.create("bob", "read", now)
    file.revoke("bob", now)
    for _ in range(2):
        with serving(tmp_path) as served:
            served.daemon.writer.flush()
            answer = served.client.get("/api/audit", headers={"x-api-key": key}).json()
            assert sorted((e["action"], e["subject"]) for e in answer["entries"]) == [
                ("keys.created", "ann"),
                ("keys.created", "bob"),
                ("keys.revoked", "bob"),
            ]
            assert {e["by"] for e in answer["entries"]} == {"local"}


def test_work_in_the_background_is_nobodys_attempt(served: Served) -> None:
    body = {"filter": {"status": "open"}, "include_not_retryable": True}
    assert served.client.post("/api/retries", json=body).status_code == 202
    served.daemon.pipeline_operations.pause("mailbox")
    assert Audit(served.daemon.database.read()).total(AuditFilter()) == 1


@pytest.mark.requirement("F6", "U6")
def test_no_entry_holds_an_address_of_who_asked(tmp_path: Path) -> None:
    with serving(tmp_path, WITH_KEYS) as served:
        served.client.post(PAUSE, headers={"x-api-key": KEYS["operate"]})
        (entry,) = Audit(served.daemon.database.read()).page(AuditFilter(), 9).entries
        assert entry.done_by == "on-call"
        assert "testclient" not in repr(entry)
    assert set(Audited.__struct_fields__) == {
        *("at", "by", "action", "subject", "outcome", "reason", "details")
    }


@pytest.mark.requirement("U6", "X4")
def test_a_body_that_is_too_large_is_refused_and_not_kept(served: Served) -> None:
    body = b'{"note": "' + b"x" * 1_000_001 + b'"}'
    headers = {"content-type": "application/json"}
    served.problem(413, "/api/retries", method="POST", content=body, headers=headers)
    (entry,) = entries(served)
    assert (entry["reason"], entry["details"]) == ("too_large", None)
