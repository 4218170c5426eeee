"""Failure groups over HTTP: where they stand, and what people decide about them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.api_support import (
    OPERATE_KEY,
    READ_KEY,
    WITH_KEYS,
    Served,
    serving,
)

GROUPS = "/api/failures/groups"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        served.run("mailbox")
        yield served


def post(served: Served, path: str, **body: Any) -> Any:
    response = served.client.post(f"{GROUPS}/{path}", json=body or None)
    assert response.status_code == 200, response.text
    return response.json()


def group_of(served: Served, category: str) -> str:
    (group,) = served.get(GROUPS, category=category)["groups"]
    found: str = group["failure_group"]
    return found


def test_a_group_is_shown_with_its_sources_and_its_newest_failure(served: Served) -> None:
    served.run("mailbox")
    group = group_of(served, "connection")
    detail = served.get(f"{GROUPS}/{group}", limit=1)
    newest = served.get("/api/failures", failure_group=group, limit=1)["failures"][0]
    assert detail["sample"] == newest
    assert detail["count"] == 4
    assert detail["retryable_share"] == 1.0
    assert detail["state"] == "open"
    assert detail["decision"] is None
    assert detail["total_sources"] == 2
    first = detail["affected_sources"][0]
    rest = served.get(f"{GROUPS}/{group}", offset=detail["next_offset"])["affected_sources"]
    assert {first["source"], rest[0]["source"]} == {"support", "sales"}
    assert (first["count"], first["pending"]) == (2, 2)
    (listed,) = served.get(GROUPS, failure_group=group)["groups"]
    assert listed == {name: detail[name] for name in listed}


def test_a_resolved_group_that_fails_again_has_regressed(served: Served) -> None:
    group = group_of(served, "authentication")
    resolved = post(served, f"{group}/resolve", note="new password for ann@example.com")
    assert resolved["state"] == "resolved"
    assert resolved["decision"]["note"] == "new password for [email]"
    assert resolved["decision"]["by"] == "local"
    assert [g["failure_group"] for g in served.get(GROUPS, state="resolved")["groups"]] == [group]
    served.run("mailbox")
    assert served.get(f"{GROUPS}/{group}")["state"] == "regressed"
    assert served.get(GROUPS, state="regressed")["total_groups"] == 1
    assert post(served, f"{group}/reopen")["state"] == "open"
    assert served.get(GROUPS, state="open")["total_groups"] == 2


def test_what_occurred_before_the_moment_does_not_reopen_a_group(served: Served) -> None:
    group = group_of(served, "authentication")
    seen = served.get(f"{GROUPS}/{group}")["last_seen"]
    assert post(served, f"{group}/resolve", as_of=seen)["state"] == "resolved"
    other = group_of(served, "connection")
    early = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert post(served, f"{other}/resolve", as_of=early)["state"] == "regressed"


def test_an_ignored_group_stays_ignored_whatever_occurs(served: Served) -> None:
    group = group_of(served, "authentication")
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert post(served, f"{group}/ignore", until=until)["state"] == "ignored"
    served.run("mailbox")
    detail = served.get(f"{GROUPS}/{group}")
    assert detail["state"] == "ignored"
    assert detail["decision"]["until"] is not None


def test_merged_groups_are_one_and_an_old_id_leads_to_it(served: Served) -> None:
    one, other = group_of(served, "authentication"), group_of(served, "connection")
    merged = post(served, "merge", failure_groups=[other], into=one)
    assert (merged["count"], merged["merged"]) == (4, [other])
    assert merged["retryable_share"] == 0.5
    served.run("mailbox")
    assert served.get(f"{GROUPS}/{other}")["failure_group"] == one
    for group in (one, other):
        found = served.get("/api/failures", failure_group=group, limit=100)
        assert found["total_failures"] == 8
        assert {failure["failure_group"] for failure in found["failures"]} == {one}
    (series,) = served.get("/api/failures/trends", by="failure_group")["series"]
    assert (series["key"], series["total"]) == (one, 8)
    body = {"failure_group": other, "dry_run": True, "include_not_retryable": True}
    tried = served.client.post("/api/retries", json=body).json()
    assert tried["totals"]["failures"] == 8
    assert post(served, f"{other}/unmerge")["failure_groups"] == [other]
    assert served.get(GROUPS)["total_groups"] == 2


def test_a_group_is_split_by_a_text_and_by_failures(served: Served) -> None:
    one, other = group_of(served, "authentication"), group_of(served, "connection")
    post(served, "merge", failure_groups=[other], into=one)
    split = post(served, f"{one}/split", text="refused")
    assert (split["count"], split["split_from"], split["split_text"]) == (2, one, "refused")
    served.run("mailbox")
    assert served.get(f"{GROUPS}/{split['failure_group']}")["count"] == 4
    post(served, "merge", failure_groups=[split["failure_group"]], into=one)
    newest = served.get("/api/failures", category="authentication", limit=1)["failures"][0]
    like = post(served, f"{one}/split", failure_ids=[newest["id"]])
    assert (like["count"], like["split_text"]) == (4, None)
    assert served.get("/api/failures")["total_failures"] == 8


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    ("action", "body", "pointer"),
    [
        ("resolve", {"as_of": "2026-01-01T00:00:00"}, "/as_of"),
        ("resolve", {"note": 5}, "/note"),
        ("resolve", {"until": "2999-01-01T00:00:00Z"}, ""),
        ("reopen", {"note": "x" * 2001}, "/note"),
        ("split", {"text": "x" * 401}, "/text"),
        ("split", {"failure_ids": ["x"]}, "/failure_ids/0"),
    ],
)
def test_a_bad_body_is_pointed_at_and_changes_nothing(
    served: Served, action: str, body: dict[str, Any], pointer: str
) -> None:
    group = group_of(served, "authentication")
    before = served.get(f"{GROUPS}/{group}")
    path = f"{GROUPS}/{group}/{action}"
    problem = served.problem(400, path, method="POST", json=body)
    assert [mistake["pointer"] for mistake in problem["errors"]] == [pointer]
    after = served.get(f"{GROUPS}/{group}")
    assert before | {"timestamp": None} == after | {"timestamp": None}


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    ("action", "body", "words"),
    [
        ("resolve", {"as_of": "2999-01-01T00:00:00Z"}, "as_of: expected"),
        ("ignore", {"until": "0001-01-01T00:00:00+23:00"}, "until: expected"),
        ("split", {}, "one of the fields"),
        ("split", {"text": "refused", "failure_ids": [1]}, "one of the fields"),
    ],
)
def test_what_cannot_be_decided_now_is_refused(
    served: Served, action: str, body: dict[str, Any], words: str
) -> None:
    group = group_of(served, "authentication")
    problem = served.problem(409, f"{GROUPS}/{group}/{action}", method="POST", json=body)
    assert words in problem["detail"]
    assert served.get(f"{GROUPS}/{group}")["decision"] is None


@pytest.mark.requirement("X4")
def test_numbers_and_times_beyond_all_bounds_do_no_harm(served: Served) -> None:
    group = group_of(served, "authentication")
    ids = {"failure_ids": [2**70, -1]}
    served.problem(404, f"{GROUPS}/{group}/split", method="POST", json=ids)
    early = post(served, f"{group}/resolve", as_of="0001-01-01T00:00:00+23:00")
    assert early["state"] == "regressed"
    late = post(served, f"{group}/ignore", until="9999-12-31T23:59:59-23:00")
    assert late["state"] == "ignored"


@pytest.mark.requirement("X4")
def test_a_group_that_does_not_exist_is_not_found(served: Served) -> None:
    served.problem(404, f"{GROUPS}/nothing")
    for action in ("resolve", "ignore", "reopen", "unmerge"):
        served.problem(404, f"{GROUPS}/nothing/{action}", method="POST")
    served.problem(404, f"{GROUPS}/nothing/split", method="POST", json={"text": "x"})
    one = group_of(served, "authentication")
    body = {"failure_groups": ["nothing"], "into": one}
    served.problem(404, f"{GROUPS}/merge", method="POST", json=body)
    served.problem(409, f"{GROUPS}/merge", method="POST", json=body | {"failure_groups": [one]})
    served.problem(409, f"{GROUPS}/{one}/unmerge", method="POST")
    served.problem(400, GROUPS, params={"state": "closed"})


@pytest.mark.requirement("S6")
def test_only_keys_that_may_operate_decide_and_their_names_are_kept(tmp_path: Path) -> None:
    with serving(tmp_path, WITH_KEYS) as served:
        served.run("mailbox")
        served.client.headers["x-api-key"] = READ_KEY
        group = group_of(served, "authentication")
        served.problem(403, f"{GROUPS}/{group}/resolve", method="POST")
        assert served.get(f"{GROUPS}/{group}")["state"] == "open"
        served.client.headers["x-api-key"] = OPERATE_KEY
        assert post(served, f"{group}/resolve")["decision"]["by"] == "on-call"
