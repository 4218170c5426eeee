"""Failures over HTTP: filters, pages, groups, trends."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.schemas.failures import FailureDetail, FailureRow
from daemon.store.columns.failures import OUTSIDE, FailureRecord
from tests.unit.api_support import ADDRESS, Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("failures")
    with serving(folder) as served:
        served.run("mailbox")
        served.run("mailbox")
        yield served


@pytest.mark.requirement("F3")
def test_failures_come_newest_first_with_a_total_of_all(served: Served) -> None:
    answer = served.get("/api/processing/failures", limit=3)
    times = [failure["error_time"] for failure in answer["failures"]]
    assert times == sorted(times, reverse=True)
    assert len(times) == 3
    assert answer["total_failures"] == 8


@pytest.mark.requirement("F3")
def test_pages_follow_each_other_without_gap_or_overlap(served: Served) -> None:
    found: list[int] = []
    parameters: dict[str, object] = {"limit": 3}
    while True:
        answer = served.get("/api/failures", **parameters)
        found += [failure["id"] for failure in answer["failures"]]
        if answer["next_cursor"] is None:
            break
        parameters["cursor"] = answer["next_cursor"]
    assert found == [8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.requirement("F3", "F6")
def test_a_failure_says_everything_and_keeps_addresses_out_of_its_texts(served: Served) -> None:
    newest = served.get("/api/failures", source="support", category="authentication", limit=1)
    failure = newest["failures"][0]
    assert failure["email_address"] == ADDRESS
    assert "bob@example.com" not in failure["error_message"]
    assert failure["error_group"] == "validation"
    assert failure["is_auth_error"] is True
    assert failure["is_retryable"] is False
    assert failure["failed_step"] == "connecting"
    assert failure["log_url"] == f"/api/runs/{failure['run_id']}/log"
    assert failure == served.get(f"/api/failures/{failure['id']}")


@pytest.mark.requirement("F3")
@pytest.mark.parametrize(
    ("filters", "total"),
    [
        ({"email_address": "support@EXAMPLE.com"}, 4),
        ({"email_address": "nobody@example.com"}, 0),
        ({"pipeline": "mailbox", "source": "sales"}, 4),
        ({"pipeline": "ingest"}, 0),
        ({"category": "connection"}, 4),
        ({"category": "connectivity"}, 4),
        ({"category": "auth"}, 4),
        ({"category": "gmail_service"}, 0),
        ({"group": "network"}, 4),
        ({"retryable": "true"}, 4),
        ({"retryable": "False"}, 4),
        ({"q": "CREDENTIALS"}, 4),
        ({"q": "credentials", "source": "sales"}, 2),
        ({"since": "2001-01-01T00:00:00+02:00"}, 8),
        ({"until": "2001-01-01T00:00:00Z"}, 0),
    ],
)
def test_every_filter_decides_what_is_shown_and_counted(
    served: Served, filters: dict[str, str], total: int
) -> None:
    answer = served.get("/api/processing/failures", limit=100, **filters)
    assert answer["total_failures"] == total
    assert len(answer["failures"]) == total


@pytest.mark.requirement("F3")
def test_the_offset_of_a_time_may_come_unencoded(served: Served) -> None:
    answer = served.client.get("/api/failures?since=2001-01-01T00:00:00+02:00")
    assert answer.json()["total_failures"] == 8


def test_a_run_and_a_group_can_be_filtered_by(served: Served) -> None:
    failure = served.get("/api/failures", limit=1)["failures"][0]
    assert served.get("/api/failures", run_id=failure["run_id"])["total_failures"] == 2
    assert (
        served.get("/api/failures", failure_group=failure["failure_group"])["total_failures"] == 4
    )


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("category", "authentification", "one of authentication, permission"),
        ("group", "networks", "one of network, api, validation, system"),
        ("status", "closed", "one of open, retrying"),
        ("retryable", "1", "true or false"),
        ("limit", "0", "a whole number from 1 to 100"),
        ("limit", "101", "a whole number from 1 to 100"),
        ("limit", "ten", "a whole number from 1 to 100"),
        ("since", "yesterday", "a time with its offset"),
        ("since", "2026-01-32T08:00:00", "a time with its offset"),
        ("until", "1700000000", "a time with its offset"),
        ("q", "", "text of 1 to 200 characters"),
        ("q", "x" * 201, "text of 1 to 200 characters"),
        ("cursor", "4711", "the `next_cursor` of an earlier answer"),
        ("categroy", "connection", "one of the parameters email_address"),
    ],
)
def test_a_bad_parameter_is_named_with_what_was_expected(
    served: Served, parameter: str, value: str, expected: str
) -> None:
    problem = served.problem(400, "/api/processing/failures", params={parameter: value})
    assert [mistake["parameter"] for mistake in problem["errors"]] == [parameter]
    assert problem["errors"][0]["expected"].startswith(expected)


@pytest.mark.requirement("X4")
def test_all_mistakes_are_reported_at_once(served: Served) -> None:
    problem = served.problem(400, "/api/failures?limit=x&group=y&limit=1&z=")
    assert [m["parameter"] for m in problem["errors"]] == ["limit", "group", "limit", "z"]


def test_a_failure_that_does_not_exist_is_not_found(served: Served) -> None:
    assert served.problem(404, "/api/failures/99999")["detail"] == "there is no failure 99999"


def test_groups_gather_failures_with_one_cause_and_its_advice(served: Served) -> None:
    answer = served.get("/api/failures/groups", category="connection")
    (group,) = answer["groups"]
    assert answer["total_groups"] == 1
    assert group["count"] == 4
    assert sum(group["counts"].values()) == 4
    assert group["counts"]["open"] == 2
    assert group["sources"] == ["sales", "support"]
    assert group["suggested_action"]
    assert group["first_seen"] < group["last_seen"]


def test_groups_come_in_pages(served: Served) -> None:
    first = served.get("/api/failures/groups", limit=1)
    second = served.get("/api/failures/groups", limit=1, offset=first["next_offset"])
    assert first["total_groups"] == second["total_groups"] == 2
    assert first["groups"] != second["groups"]
    assert second["next_offset"] is None


@pytest.mark.parametrize("interval", ["hour", "day"])
@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("category", {"connection", "authentication"}),
        ("pipeline", {"mailbox"}),
        ("source", {"support", "sales"}),
    ],
)
def test_trends_count_every_failure_once(
    served: Served, interval: str, by: str, keys: set[str]
) -> None:
    answer = served.get("/api/failures/trends", interval=interval, by=by)
    assert {series["key"] for series in answer["series"]} == keys
    assert sum(series["total"] for series in answer["series"]) == 8
    assert sum(p["count"] for series in answer["series"] for p in series["points"]) == 8


def test_trends_by_the_hour_look_at_31_days_at_most(served: Served) -> None:
    until = datetime.now(UTC)
    answer = served.get(
        "/api/failures/trends",
        interval="hour",
        since="2001-01-01T00:00:00Z",
        until=until.isoformat(),
    )
    assert datetime.fromisoformat(answer["since"]) == until - timedelta(days=31)


@pytest.mark.requirement("M6")
def test_the_export_holds_what_the_same_filters_show(served: Served) -> None:
    response = served.client.get("/api/export/failures.csv", params={"category": "auth"})
    rows = list(csv.DictReader(io.StringIO(response.text)))
    shown = served.get("/api/failures", category="auth", limit=100)["failures"]
    assert [int(row["id"]) for row in rows] == [failure["id"] for failure in shown]
    assert response.headers["content-type"].startswith("text/csv")
    assert response.headers["content-disposition"].startswith('attachment; filename="failures-')


@pytest.mark.requirement("X4")
def test_the_export_refuses_paging(served: Served) -> None:
    problem = served.problem(400, "/api/export/failures.csv?limit=10")
    assert problem["errors"][0]["parameter"] == "limit"


def test_every_column_of_a_failure_is_told_by_the_name_that_it_has_outside() -> None:
    columns = {OUTSIDE.get(name, name) for name in FailureRecord.__struct_fields__}
    assert columns <= set(FailureDetail.__struct_fields__)
    assert set(FailureRow.__struct_fields__) <= {*FailureDetail.__struct_fields__, "next_cursor"}
