"""Reports over HTTP, as dashboards read them: flat rows, series with zeros, JSON or CSV."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.api_support import READ_KEY, WITH_KEYS, Served, serving
from tests.unit.report_support import FOURTH, SECOND, THIRD, reporting

DAY = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}
IN_MILLISECONDS = {"from": "1795132800000", "to": "1795219200000"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with reporting(tmp_path_factory.mktemp("report")) as served:
        yield served


def table(served: Served, path: str, /, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of a report."""
    rows: list[dict[str, Any]] = served.get(f"/api/report/{path}", **parameters)
    assert isinstance(rows, list)
    return rows


@pytest.mark.requirement("M4", "F1")
def test_failures_are_flat_rows_newest_first(served: Served) -> None:
    rows = table(served, "failures")
    assert [row["id"] for row in rows] == [4, 3, 2, 1]
    assert not any(isinstance(value, list | dict) for row in rows for value in row.values())
    newest = rows[0]
    assert newest["error_time"] == "2026-11-20T10:30:02Z"
    assert newest["run_id"] == THIRD
    assert newest["log_url"] == f"/api/runs/{THIRD}/log"
    assert rows[2]["email_address"] == "Support@Example.com"


@pytest.mark.requirement("M4")
@pytest.mark.parametrize("times", [DAY, IN_MILLISECONDS])
def test_a_time_may_be_iso_or_milliseconds(served: Served, times: dict[str, str]) -> None:
    assert len(table(served, "failures", **times)) == 3
    assert len(table(served, "runs", **times)) == 3


@pytest.mark.requirement("M4", "F3")
@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"source": "sales"}, [4, 3, 1]),
        ({"source": "(sales|support)"}, [4, 3, 2, 1]),
        ({"source": "{support,orders}"}, [2]),
        ({"source": "support,orders"}, [2]),
        ({"source": r"sup\port"}, []),
        ({"source": r"(s\.a|sales)"}, [4, 3, 1]),
        ({"source": ""}, [4, 3, 2, 1]),
        ({"source": ".*"}, [4, 3, 2, 1]),
        ({"source": "$__all"}, [4, 3, 2, 1]),
        ({"category": "auth"}, [2]),
        ({"category": "connection,authentication"}, [4, 3, 2, 1]),
        ({"group": "network"}, [4, 3, 1]),
        ({"retryable": "TRUE"}, [4, 3, 1]),
        ({"status": "resolved"}, []),
        ({"rule": "unmatched", "step": "processing", "pipeline": "mailbox"}, [4, 3, 2, 1]),
        ({"failure_group": "a0a0a0a0a0a0a0a0"}, [2]),
        ({"run_id": SECOND}, [2]),
        ({"email_address": "support@example.COM"}, [2]),
        ({"q": "RESET"}, [4, 3, 1]),
    ],
)
def test_filters_take_values_as_grafana_writes_them(
    served: Served, filters: dict[str, str], ids: list[int]
) -> None:
    assert [row["id"] for row in table(served, "failures", **filters)] == ids
    counted = table(served, "failures/series", **DAY | {"from": "0"}, **filters)
    assert sum(point["count"] for point in counted) == len(ids)


@pytest.mark.requirement("M4")
@pytest.mark.parametrize(("path", "key"), [("failures", "id"), ("runs", "run_id")])
def test_pages_follow_each_other_by_cursor_and_by_offset(
    served: Served, path: str, key: str
) -> None:
    everything = [row[key] for row in table(served, path)]
    assert len(everything) == 4
    found, cursor = [], ""
    while rows := table(served, path, limit=1, cursor=cursor):
        found += [row[key] for row in rows]
        if not (cursor := rows[-1]["next_cursor"]):
            break
    assert found == everything
    assert [row[key] for row in table(served, path, limit=2, offset=1)] == everything[1:3]
    past = served.client.get(f"/api/report/{path}", params={"offset": 4})
    assert (past.status_code, past.text, past.headers["x-total-count"]) == (200, "[]", "4")


@pytest.mark.requirement("M4")
@pytest.mark.parametrize("path", ["groups", "sources", "cycles"])
def test_past_the_end_of_a_table_there_is_an_empty_list(served: Served, path: str) -> None:
    assert table(served, path)
    answer = served.client.get(f"/api/report/{path}", params={"offset": 1000})
    assert (answer.status_code, answer.text) == (200, "[]")


@pytest.mark.requirement("M4")
def test_csv_has_the_same_rows_with_formulas_defused(served: Served) -> None:
    answers = [
        served.client.get("/api/report/failures", params={"format": "csv"}),
        served.client.get("/api/report/failures", headers={"accept": "text/csv; charset=utf-8"}),
    ]
    assert answers[0].text == answers[1].text
    assert answers[0].headers["content-type"].startswith("text/csv")
    read = list(csv.DictReader(io.StringIO(answers[0].text)))
    shown = table(served, "failures")
    assert [row["id"] for row in read] == [str(row["id"]) for row in shown]
    assert list(read[0]) == list(shown[0])
    assert (read[0]["item"], shown[0]["item"]) == ("'=3.eml", "=3.eml")
    assert (read[0]["is_retryable"], read[0]["row_count"]) == ("true", "")


@pytest.mark.requirement("M4")
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json;q=0.9,text/plain", "application/json"),
        ("*/*", "application/json"),
        ("text/csv, application/json", "text/csv"),
    ],
)
def test_the_accept_header_decides_where_no_format_is_given(
    served: Served, accept: str, kind: str
) -> None:
    answer = served.client.get("/api/report/sources", headers={"accept": accept})
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.requirement("M4")
def test_answers_are_compressed_if_that_is_accepted(served: Served) -> None:
    bodies = []
    for coding in ("gzip", "identity"):
        headers = {"accept-encoding": coding}
        with served.client.stream("GET", "/api/report/failures", headers=headers) as response:
            body = b"".join(response.iter_raw())
        compressed = response.headers.get("content-encoding") == "gzip"
        assert compressed is (coding == "gzip")
        bodies.append(gzip.decompress(body) if compressed else body)
    assert json.loads(bodies[0]) == json.loads(bodies[1])


@pytest.mark.requirement("M4")
def test_runs_say_how_they_ended_and_what_became_of_their_items(served: Served) -> None:
    rows = table(served, "runs", status="success,failed")
    assert [(row["run_id"], row["status"]) for row in rows] == [
        (FOURTH, "success"),
        (SECOND, "failed"),
    ]
    assert rows[1]["error_category"] == "authentication"
    assert rows[1]["duration_seconds"] == 4.0
    assert [row["run_id"] for row in table(served, "runs", category="auth")] == [SECOND]


@pytest.mark.requirement("M4")
def test_groups_count_their_failures_by_status(served: Served) -> None:
    rows = table(served, "groups")
    assert {row["failure_group"]: row["count"] for row in rows} == {
        "c0c0c0c0c0c0c0c0": 3,
        "a0a0a0a0a0a0a0a0": 1,
    }
    assert rows[0]["open"] + rows[0]["retrying"] == rows[0]["count"]
    assert rows[0]["sources"] == "sales"
    assert table(served, "groups", state="ignored") == []


@pytest.mark.requirement("M4")
def test_sources_say_how_they_stand_also_before_their_first_run(served: Served) -> None:
    rows = {row["source"]: row for row in table(served, "sources")}
    assert set(rows) == {"orders", "sales", "support", "patient"}
    assert rows["support"] == {
        "pipeline": "mailbox",
        "source": "support",
        "email_address": "Support@Example.com",
        "enabled": True,
        "last_status": "failed",
        "last_run_at": "2026-11-20T10:00:00Z",
        "last_success_at": None,
        "consecutive_failures": 1,
        "failing_category": "authentication",
        "open_failures": 1,
    }
    assert rows["orders"]["last_success_at"] == "2026-11-20T11:00:02Z"
    assert rows["patient"]["last_status"] is None
    assert [r["source"] for r in table(served, "sources", status="partial")] == ["sales"]


@pytest.mark.requirement("M4")
def test_cycles_are_rows_with_their_outcome(served: Served) -> None:
    (row,) = table(served, "cycles", pipeline="mailbox")
    assert (row["outcome"], row["duration_seconds"]) == ("partial", 1810.0)
    assert table(served, "cycles", pipeline="ingest") == []


@pytest.mark.requirement("M4")
def test_series_have_a_point_for_every_stretch_with_zeros(served: Served) -> None:
    answer = served.client.get(
        "/api/report/failures/series", params={**DAY, "by": "source", "interval": "6h"}
    )
    counts: dict[str, list[int]] = {}
    for point in answer.json():
        counts.setdefault(point["series"], []).append(point["count"])
        assert point["source"] == point["series"]
    assert counts == {"sales": [0, 2, 0, 0], "support": [0, 1, 0, 0]}
    assert answer.headers["x-report-interval-seconds"] == "21600"
    assert answer.headers["x-report-other-series"] == "0"


@pytest.mark.requirement("M4")
def test_what_has_no_series_of_its_own_is_other_and_said(served: Served) -> None:
    parameters = {**DAY, "by": "category,source", "interval": "1d", "series": 1}
    answer = served.client.get("/api/report/failures/series", params=parameters)
    assert [(p["series"], p["count"]) for p in answer.json()] == [
        ("connection / sales", 2),
        ("other", 1),
    ]
    assert answer.headers["x-report-other-series"] == "1"


@pytest.mark.requirement("M4")
def test_the_interval_is_chosen_to_fit(served: Served) -> None:
    few = served.client.get("/api/report/failures/series", params={**DAY, "max_data_points": 10})
    assert len(few.json()) == 8
    assert few.headers["x-report-interval-seconds"] == "10800"


@pytest.mark.requirement("M4")
def test_runs_and_items_have_series(served: Served) -> None:
    runs = table(served, "runs/series", **DAY, by="status", interval="1d")
    assert {p["series"]: (p["count"], p["median_seconds"]) for p in runs} == {
        "failed": (1, 4.0),
        "partial": (1, 10.0),
        "success": (1, 2.0),
    }
    items = table(served, "items/series", **DAY, interval="1d")
    assert [p["series"] for p in items] == ["succeeded", "failed", "skipped"]
    assert items[0]["outcome"] == "succeeded"


@pytest.mark.requirement("M4")
def test_a_failed_run_is_an_annotation(served: Served) -> None:
    (mark,) = table(served, "annotations", **DAY)
    assert mark["time"] == "2026-11-20T10:00:00Z"
    assert mark["timeEnd"] == "2026-11-20T10:00:04Z"
    assert mark["title"] == "Run failed: mailbox/support"
    assert mark["tags"] == ["run", "failed", "mailbox", "support", "authentication"]
    assert table(served, "annotations", **DAY, kind="group,pause") == []


@pytest.mark.requirement("M4")
def test_decisions_retries_and_pauses_are_annotations(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with reporting(tmp_path_factory.mktemp("marks")) as served:
        post = served.client.post
        assert post("/api/pipelines/mailbox/pause").is_success
        path = "/api/failures/groups/a0a0a0a0a0a0a0a0/resolve"
        assert post(path, json={"note": "new password for bob@example.com"}).is_success
        assert post("/api/retries", json={"failure_ids": [3]}).is_success
        marks = {row["tags"][0]: row for row in table(served, "annotations")}
        assert set(marks) == {"group", "retry", "pause"}
        assert marks["group"]["title"] == "Group resolved"
        assert "new password" in marks["group"]["text"]
        assert "bob@example.com" not in marks["group"]["text"]
        assert marks["retry"]["tags"][2:] == ["mailbox"]
        assert marks["pause"]["title"] == "Paused: mailbox"
        assert table(served, "annotations", source="support") == []
        assert [m["tags"][0] for m in table(served, "annotations", source="sales")] == ["retry"]


@pytest.mark.requirement("M4")
@pytest.mark.parametrize(
    ("of", "values"),
    [
        ("pipeline", ["ingest", "mailbox", "patient"]),
        ("source", ["orders", "patient", "sales", "support"]),
        ("error_group", ["network", "api", "validation", "system"]),
        ("status", ["open", "retrying", "resolved", "quarantined", "ignored"]),
        ("run_status", ["running", "success", "partial", "failed", "interrupted", "cancelled"]),
        ("retryable", ["true", "false"]),
        ("failure_group", ["c0c0c0c0c0c0c0c0", "a0a0a0a0a0a0a0a0"]),
        ("step", ["processing"]),
        ("rule", ["unmatched"]),
    ],
)
def test_variables_have_their_values(served: Served, of: str, values: list[str]) -> None:
    rows = table(served, "variables", of=of)
    assert [row["__value"] for row in rows] == values
    assert all(row["__text"] for row in rows)


def test_variables_can_depend_on_the_pipeline(served: Served) -> None:
    rows = table(served, "variables", of="source", pipeline="mailbox")
    assert [row["__value"] for row in rows] == ["sales", "support"]


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    ("path", "parameters", "wrong", "expected"),
    [
        ("failures", {"category": "nonsense"}, "category", "values among authentication"),
        ("failures", {"from": "yesterday"}, "from", "a time: ISO 8601"),
        ("failures", {"since": "2026-01-01T00:00:00Z"}, "since", "one of the parameters from"),
        ("failures", {"limit": "1001"}, "limit", "a whole number from 1 to 1000"),
        ("failures", {"cursor": "1"}, "cursor", "the `next_cursor` of an earlier answer"),
        ("failures", {"cursor": "1.1", "offset": "1"}, "offset", "no offset"),
        ("failures", {"source": "x" * 201}, "source", "values of at most 200 characters"),
        ("failures", {"source": ",".join(map(str, range(101)))}, "source", "at most 100 values"),
        ("failures", {"format": "xml"}, "format", "one of csv, json"),
        ("failures/series", {**DAY, "interval": "1s"}, "interval", "2m or more"),
        ("failures/series", {"interval": "often"}, "interval", "a length such as 30s"),
        ("failures/series", {"by": "message"}, "by", "names among pipeline, source"),
        ("failures/series", {"series": "101"}, "series", "a whole number from 1 to 100"),
        ("failures/series", {"from": DAY["to"], "to": DAY["from"]}, "to", "a time that is not"),
        ("runs", {"status": "open"}, "status", "values among running"),
        ("runs/series", {"by": "rule"}, "by", "names among pipeline"),
        ("annotations", {"kind": "deploy"}, "kind", "values among run"),
        ("variables", {"of": "message"}, "of", "one of pipeline"),
        ("variables", {}, "of", "one of pipeline"),
    ],
)
def test_what_cannot_be_answered_is_named(
    served: Served, path: str, parameters: dict[str, str], wrong: str, expected: str
) -> None:
    problem = served.problem(400, f"/api/report/{path}", params=parameters)
    assert problem["errors"][0]["parameter"] == wrong
    assert problem["errors"][0]["expected"].startswith(expected)


@pytest.mark.requirement("S6")
def test_a_report_needs_a_key_where_there_are_keys(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with serving(tmp_path_factory.mktemp("keys"), WITH_KEYS) as served:
        served.problem(401, "/api/report/failures")
        headers = {"authorization": f"Bearer {READ_KEY}"}
        assert served.client.get("/api/report/failures", headers=headers).json() == []
