"""What filters take, and what is told of names that nothing has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.filters import FailureQuery
from api.problems import BadRequest
from api.query import parse
from daemon.config.wording import words
from tests.unit.api_support import Served, serving

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("asking")) as served:
        served.run("mailbox")
        assert served.daemon.writer.flush(20)
        yield served


def since(text: str) -> datetime | None:
    wanted = parse(FailureQuery, f"since={text}".encode(), NOW)
    assert isinstance(wanted, FailureQuery)
    return wanted.since


@pytest.mark.requirement("F3")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("90m", NOW - timedelta(minutes=90)),
        ("7d", NOW - timedelta(days=7)),
        ("1.5h", NOW - timedelta(minutes=90)),
        ("36500d", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T08:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T08:00:00Z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T08:00:00+02:00", datetime(2026, 11, 20, 6, tzinfo=UTC)),
        ("2026-11-20T08:00:00%2B02:00", datetime(2026, 11, 20, 6, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_moment_or_a_day_in_utc_or_how_long_ago(text: str, moment: datetime) -> None:
    assert since(text) == moment


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    "text", ["", "yesterday", "2 h", "-2h", "0s", "99999d", "1763800000000", "24:00"]
)
def test_what_is_no_time_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        since(text)
    (mistake,) = refused.value.mistakes
    assert mistake.parameter == "since"
    assert "how long ago, such as 90m, 2h or 7d" in mistake.expected


def test_reports_take_the_same_times_and_milliseconds(served: Served) -> None:
    path = "/api/report/failures"
    everything = served.get(path, **{"from": "1h"})
    assert everything
    assert (
        served.get(path, **{"from": str(int(datetime.now(UTC).timestamp() * 1000) - 3_600_000)})
        == everything
    )


LISTS = (
    "/api/failures",
    "/api/processing/failures",
    "/api/failures/groups",
    "/api/failures/trends",
    "/api/export/failures.csv",
)
RUNS = ("/api/runs", "/api/processing/history", "/api/processing/statistics")


@pytest.mark.requirement("F3", "X4")
@pytest.mark.parametrize("path", [*LISTS, *RUNS, "/api/failures/unclassified"])
def test_an_unknown_pipeline_is_refused_everywhere_with_those_that_there_are(
    served: Served, path: str
) -> None:
    problem = served.problem(404, path, params={"pipeline": "mailbx"})
    (mistake,) = problem["errors"]
    assert mistake["parameter"] == "pipeline"
    assert "there are: ingest, mailbox, patient" in mistake["expected"]
    assert "did you mean mailbox?" in problem["detail"]


@pytest.mark.requirement("F3", "X4")
@pytest.mark.parametrize("path", [*LISTS, *RUNS])
def test_an_unknown_source_is_refused_everywhere_with_those_of_the_pipeline(
    served: Served, path: str
) -> None:
    (mistake,) = served.problem(404, path, params={"source": "suport"})["errors"]
    assert "orders, patient, sales, support" in mistake["expected"]
    params = {"pipeline": "mailbox", "source": "orders"}
    (mistake,) = served.problem(404, path, params=params)["errors"]
    assert mistake["expected"].endswith("there are: sales, support")


@pytest.mark.requirement("F3")
def test_what_is_stored_of_a_source_that_is_gone_can_still_be_asked_for(served: Served) -> None:
    catalog = served.daemon.catalog
    gone = catalog.source("mailbox", "sales")
    catalog.remove_source("mailbox", "sales")
    try:
        for path in LISTS[:3]:
            assert served.client.get(path, params={"source": "sales"}).status_code == 200
        assert served.get("/api/failures", source="sales")["total_failures"] == 2
    finally:
        catalog.set_source("mailbox", gone)


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("name", ["failure_group", "run_id"])
def test_an_unknown_group_or_run_is_not_found(served: Served, path: str, name: str) -> None:
    served.problem(404, path, params={name: "nothing-of-that-id"})


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"failure_group": "none"}, 404),
        ({"filter": {"failure_group": "none"}}, 404),
        ({"filter": {"run_id": "none"}}, 404),
        ({"filter": {"pipeline": "none"}}, 404),
        ({"filter": {"source": "none"}}, 404),
    ],
)
def test_a_retry_of_what_is_not_there_is_refused_also_as_a_dry_run(
    served: Served, body: dict[str, Any], status: int
) -> None:
    for dry in (False, True):
        served.problem(status, "/api/retries", method="POST", json={**body, "dry_run": dry})
    assert served.get("/api/retries")["total_retries"] == 0


def test_one_pipeline_is_what_the_list_says_of_it(served: Served) -> None:
    for pipeline in served.get("/api/pipelines")["pipelines"]:
        assert served.get(f"/api/pipelines/{pipeline['name']}") == pipeline
    served.problem(404, "/api/pipelines/none")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "a whole number from 1 to 9"),
        ({"type": "string", "maxLength": 5}, "text of 0 to 5 characters"),
        ({"anyOf": [{"type": "boolean"}, {"enum": ["a", "b"]}]}, "true or false or one of a, b"),
        ({"type": "number", "minimum": 0.5}, "a number of 0.5 or more"),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, Any], said: str) -> None:
    assert words(schema) == said


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    ("path", "body", "pointer", "expected"),
    [
        ("/api/retries", {"filter": {"category": "nope"}}, "/filter/category", "one of account_not_found, auth"),
        ("/api/retries", {"filter": {"status": 5}}, "/filter/status", "one of ignored, open"),
        ("/api/retries", {"filter": {"retryable": "yes"}}, "/filter/retryable", "true or false"),
        ("/api/retries", {"failure_ids": ["a"]}, "/failure_ids/0", "a whole number"),
        ("/api/retries", {"rate": 0}, "/rate", "a whole number from 1 to 1000000"),
        ("/api/failures/groups/merge", {"failure_groups": ["a"], "into": 5}, "/into", "text of 1 to 128 characters"),
        ("/api/failures/groups/merge", {"failure_groups": [], "into": "b"}, "/failure_groups", "a list of 1 to 100"),
        ("/api/ingestions/orders/files/ignore", {"paths": []}, "/paths", "a list of 1 to 10000"),
        ("/api/ingestions/orders/files/ignore", {"paths": [1]}, "/paths/0", "text"),
        ("/api/pipelines/ingest/run", {"source": 5}, "/source", "text"),
    ],
)  # fmt: skip
def test_a_body_with_a_mistake_is_told_what_is_allowed(
    served: Served, path: str, body: dict[str, Any], pointer: str, expected: str
) -> None:
    (mistake,) = served.problem(400, path, method="POST", json=body)["errors"]
    assert mistake["pointer"] == pointer
    assert mistake["expected"].startswith(expected)
