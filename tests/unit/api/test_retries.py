"""Retries by hand over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from api.filters import FailureQuery
from api.schemas.retries import REASONS, CategoryName, RetryFilter
from daemon.taxonomy import CATEGORY_ALIASES, Category, RetryReason
from tests.unit.api_support import OPERATE_KEY, READ_KEY, WITH_KEYS, Served, serving, until

RETRIES = "/api/retries"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        served.run("mailbox")
        yield served


def ask(served: Served, **body: Any) -> Any:
    response = served.client.post(RETRIES, json=body)
    assert response.status_code == 202, response.text
    return response.json()


def ended(served: Served, operation: Any) -> Any:
    served.daemon.retry_worker.start()

    def look() -> Any:
        found = served.get(f"{RETRIES}/{operation['id']}")
        return found if found["ended_at"] else None

    return until(look)


def test_the_filter_of_a_retry_is_the_filter_of_failures() -> None:
    assert set(RetryFilter.__struct_fields__) == set(FailureQuery.__struct_fields__)
    assert set(get_args(CategoryName)) == {*map(str, Category), *CATEGORY_ALIASES}
    assert set(REASONS) == set(RetryReason)


def test_a_filter_is_retried_and_what_failed_again_is_listed(served: Served) -> None:
    operation = ask(served, filter={"category": "connectivity", "pipeline": "mailbox"})
    assert (operation["state"], operation["asked_by"]) == ("pending", "local")
    assert operation["totals"]["to_retry"] == 2
    operation = ended(served, operation)
    assert operation["state"] == "completed"
    totals = operation["totals"]
    assert (totals["done"], totals["succeeded"], totals["failed_again"]) == (2, 0, 2)
    assert [(s["source"], s["to_retry"], s["done"]) for s in operation["sources"]] == [
        ("sales", 1, 1),
        ("support", 1, 1),
    ]
    path = f"{RETRIES}/{operation['id']}/failures"
    page = served.get(path, limit=1)
    assert page["total_failures"] == 2
    rest = served.get(path, cursor=page["next_cursor"])
    assert rest["next_cursor"] is None
    for failure in page["failures"] + rest["failures"]:
        again = served.get(f"/api/failures/{failure['new_failure_id']}")
        assert (failure["item"], failure["outcome"]) == ("second", "failed_again")
        assert (again["item"], again["source"]) == ("second", failure["source"])
        assert failure["error_category"] == again["error_category"] == "connection"


def test_a_group_and_single_failures_can_be_retried(served: Served) -> None:
    groups = {g["error_category"]: g for g in served.get("/api/failures/groups")["groups"]}
    group = groups["authentication"]["failure_group"]
    operation = ask(served, failure_group=group, include_not_retryable=True, rate=100_000)
    assert operation["selection"]["failure_group"] == group
    assert (operation["rate"], operation["totals"]["to_retry"]) == (100_000, 2)
    assert ended(served, operation)["totals"]["failed_again"] == 2
    one = served.get("/api/processing/failures", category="connection")["failures"][0]["id"]
    operation = ended(served, ask(served, failure_ids=[one]))
    assert operation["totals"]["to_retry"] == 1
    shown = served.get(RETRIES)
    assert shown["retries"][0]["id"] == operation["id"]
    assert shown["total_retries"] == 2
    page = served.get(RETRIES, limit=1)
    assert served.get(RETRIES, cursor=page["next_cursor"])["retries"] == shown["retries"][1:]


def test_what_cannot_succeed_is_left_out_and_counted(served: Served) -> None:
    operation = ask(served, filter={})
    totals = operation["totals"]
    assert (totals["failures"], totals["selected"], totals["to_retry"]) == (4, 4, 2)
    assert totals["left_out"]["not_retryable"] == 2


def test_a_dry_run_answers_what_would_be_retried_and_changes_nothing(served: Served) -> None:
    body = {"filter": {"email_address": "support@example.com"}, "dry_run": True}
    response = served.client.post(RETRIES, json=body)
    assert response.status_code == 202
    preview = response.json()
    assert (preview["id"], preview["state"]) == (None, None)
    assert preview["totals"]["to_retry"] == 1
    assert preview["sources"] == [
        {"pipeline": "mailbox", "source": "support", "to_retry": 1, "done": 0}
    ]
    assert served.get(RETRIES)["retries"] == []


@pytest.mark.requirement("F6")
def test_what_was_asked_for_is_shown_without_addresses_and_secrets(served: Served) -> None:
    wanted = {
        "email_address": "Support@Example.com",
        "q": "login of bob@example.com password=x1y2z3",
    }
    ask(served, filter=wanted)
    text = served.client.get(RETRIES).text
    for secret in ("Support@", "bob@example.com", "x1y2z3"):
        assert secret not in text
    stored = served.daemon.database.read().rows("SELECT selection FROM retry_operations")
    assert "x1y2z3" not in str(stored)


def test_a_retry_can_be_cancelled_once(served: Served) -> None:
    operation = ask(served, filter={})
    path = f"{RETRIES}/{operation['id']}/cancel"
    cancelled = served.client.post(path)
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert "cancelled" in served.problem(409, path, method="POST")["detail"]


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ""),
        ({"filter": {}, "failure_group": "x"}, ""),
        ({"failure_ids": []}, "/failure_ids"),
        ({"failure_ids": [0]}, "/failure_ids/0"),
        ({"failure_ids": ["1; DROP TABLE failures"]}, "/failure_ids/0"),
        ({"filter": {"category": "nonsense"}}, "/filter/category"),
        ({"filter": {"catgory": "connection"}}, "/filter"),
        ({"filter": {"since": "2026-01-01T00:00:00"}}, "/filter/since"),
        ({"filter": {}, "rate": 0}, "/rate"),
        ({"filter": {}, "limit": 3}, ""),
        ([], ""),
    ],
)
def test_bad_input_is_refused_with_its_place_and_changes_nothing(
    served: Served, body: Any, place: str
) -> None:
    problem = served.problem(400, RETRIES, method="POST", json=body)
    assert [mistake.get("pointer") for mistake in problem["errors"]] == [place]
    assert served.get(RETRIES)["retries"] == []


@pytest.mark.requirement("X4")
def test_what_does_not_exist_is_said(served: Served) -> None:
    problem = served.problem(404, RETRIES, method="POST", json={"failure_ids": [1, 4711]})
    assert "4711" in problem["detail"]
    for path in (f"{RETRIES}/none", f"{RETRIES}/none/failures"):
        served.problem(404, path)
    served.problem(404, f"{RETRIES}/none/cancel", method="POST")
    served.problem(400, RETRIES, params={"cursor": "x"})


def test_both_methods_of_the_path_are_allowed(served: Served) -> None:
    answer = served.client.options(RETRIES)
    refused = served.client.delete(RETRIES)
    assert (answer.status_code, refused.status_code) == (204, 405)
    for found in (answer, refused):
        assert set(found.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.requirement("S6")
def test_a_key_that_may_only_read_cannot_retry_and_the_other_is_named(tmp_path: Path) -> None:
    with serving(tmp_path, WITH_KEYS) as served:
        reader, operator = ({"X-API-Key": key} for key in (READ_KEY, OPERATE_KEY))
        body: Any = {"filter": {}}
        served.problem(403, RETRIES, method="POST", json=body, headers=reader)
        answer = served.client.post(RETRIES, json=body, headers=operator)
        assert answer.json()["asked_by"] == "on-call"
        path = f"{RETRIES}/{answer.json()['id']}"
        served.problem(403, f"{path}/cancel", method="POST", headers=reader)
        assert served.client.get(path, headers=reader).status_code == 200
