"""Pipelines, ingestions and their files over HTTP."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.api_support import Served, put_files, serving, until

ORDERS = "/api/ingestions/orders"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    put_files(tmp_path)
    with serving(tmp_path) as served:
        yield served


def test_pipelines_say_how_they_stand(served: Served) -> None:
    answer = served.get("/api/pipelines")
    assert [pipeline["name"] for pipeline in answer["pipelines"]] == [
        "ingest",
        "mailbox",
        "patient",
    ]
    mailbox = answer["pipelines"][1]
    assert mailbox["paused"] is mailbox["running"] is False
    assert [source["name"] for source in mailbox["sources"]] == ["support", "sales"]


@pytest.mark.requirement("S9")
def test_a_pipeline_is_paused_and_resumed(served: Served) -> None:
    paused = served.client.post("/api/pipelines/mailbox/pause")
    assert (paused.status_code, paused.json()["paused"]) == (200, True)
    assert served.daemon.runs.paused() == {"mailbox"}
    resumed = served.client.post("/api/pipelines/mailbox/resume")
    assert (resumed.status_code, resumed.json()["paused"]) == (200, False)
    assert served.daemon.runs.paused() == set()


@pytest.mark.requirement("S9")
def test_run_now_answers_with_the_cycle_and_refuses_a_second_one(served: Served) -> None:
    started = served.client.post("/api/pipelines/patient/run", json={"source": "patient"})
    assert started.status_code == 202
    assert started.json()["source"] == "patient"
    until(lambda: served.get("/api/processing/status")["is_processing"])
    (run,) = served.get("/api/runs")["runs"]
    assert run["cycle_id"] == started.json()["cycle_id"]
    problem = served.problem(409, "/api/pipelines/patient/run", method="POST")
    assert "running already" in problem["detail"]


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("action", ["pause", "resume", "run"])
def test_a_pipeline_that_does_not_exist_is_not_found(served: Served, action: str) -> None:
    served.problem(404, f"/api/pipelines/nothing/{action}", method="POST")


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    ("body", "pointer", "expected"),
    [
        ({"sources": "orders"}, "", "no field sources"),
        ({"source": 5}, "/source", "text"),
        ([], "", "object | null, got array"),
    ],
)
def test_a_bad_body_is_pointed_at(
    served: Served, body: object, pointer: str, expected: str
) -> None:
    problem = served.problem(400, "/api/pipelines/mailbox/run", method="POST", json=body)
    assert problem["errors"] == [{"pointer": pointer, "expected": expected}]


@pytest.mark.requirement("I3", "I6")
def test_an_ingestion_says_its_mode_and_what_failed(served: Served) -> None:
    served.run("ingest")
    orders = served.get(ORDERS)
    assert orders["mode"] == "permissive"
    assert "bad rows are set aside" in orders["mode_description"]
    assert orders["badge"]["failed_count"] == 1
    assert orders["badge"]["top_category"] == "schema_mismatch"
    assert orders["badge"]["last_failed_at"] is not None
    assert orders["last_run"]["status"] == "partial"
    assert served.get("/api/ingestions")["ingestions"] == [orders]


@pytest.mark.requirement("I4", "I6")
def test_files_are_listed_filtered_and_paged(served: Served) -> None:
    served.run("ingest")
    answer = served.get(f"{ORDERS}/files", status="partial")
    (file,) = answer["files"]
    assert answer["total_files"] == 1
    assert file["path"] == "bad.csv"
    assert file["category"] == "schema_mismatch"
    assert file["retryable"] is False
    assert file["rows_rejected"] == 1
    assert file["log_url"] == f"/api/runs/{file['run_id']}/log"
    first = served.get(f"{ORDERS}/files", limit=1)
    second = served.get(f"{ORDERS}/files", limit=1, cursor=first["next_cursor"])
    assert [page["files"][0]["path"] for page in (first, second)] == ["bad.csv", "good.csv"]
    assert second["next_cursor"] is None
    assert served.get(f"{ORDERS}/files", q="GOOD")["total_files"] == 1


@pytest.mark.requirement("I6", "I7")
def test_people_decide_about_files(served: Served) -> None:
    served.run("ingest")
    chosen = {"paths": ["bad.csv"]}

    def decide(action: str) -> str:
        response = served.client.post(f"{ORDERS}/files/{action}", json=chosen)
        assert response.status_code == 200
        assert response.json()["paths"] == ["bad.csv"]
        return served.get(f"{ORDERS}/files", q="bad")["files"][0]["status"]

    assert decide("ignore") == "ignored"
    assert decide("quarantine") == "quarantined"
    assert decide("release") in ("retrying", "partial")


@pytest.mark.requirement("I6")
def test_all_that_failed_is_retried_when_no_path_is_named(served: Served) -> None:
    served.run("ingest")
    response = served.client.post(f"{ORDERS}/files/retry")
    assert response.status_code == 202
    assert response.json()["paths"] == ["bad.csv"]
    assert response.json()["count"] == 1


@pytest.mark.requirement("X4", "I6")
@pytest.mark.parametrize(
    "path", ["../triaged.toml", "/etc/passwd", "inbox/bad.csv", "bad.csv\0", "."]
)
def test_only_tracked_files_can_be_had(served: Served, path: str) -> None:
    served.run("ingest")
    served.problem(404, f"{ORDERS}/files/download", params={"path": path})
    served.problem(404, f"{ORDERS}/files/ignore", method="POST", json={"paths": [path]})


@pytest.mark.requirement("I6")
def test_a_download_is_a_file_to_save_and_never_shown(served: Served, tmp_path: Path) -> None:
    put_files(tmp_path, **{'<b>"é': "id,amount\nx,1\n"})
    served.run("ingest")
    response = served.client.get(f"{ORDERS}/files/download", params={"path": '<b>"é.csv'})
    assert response.content == b"id,amount\nx,1\n"
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-disposition"] == (
        "attachment; filename=\"_b___.csv\"; filename*=UTF-8''%3Cb%3E%22%C3%A9.csv"
    )


def test_a_file_that_is_gone_cannot_be_downloaded(served: Served, tmp_path: Path) -> None:
    served.run("ingest")
    (tmp_path / "inbox" / "bad.csv").unlink()
    served.problem(404, f"{ORDERS}/files/download", params={"path": "bad.csv"})


@pytest.mark.requirement("I3")
def test_rejected_rows_come_as_a_page_or_as_a_file(served: Served) -> None:
    served.run("ingest")
    page = served.get(f"{ORDERS}/rejected")
    (row,) = page["rows"]
    assert page["total_rows"] == 1
    assert (row["path"], row["row_number"], row["column"]) == ("bad.csv", 3, "amount")
    assert (row["category"], row["raw"]) == ("schema_mismatch", "2,many")
    assert served.get(f"{ORDERS}/rejected", path="good.csv")["rows"] == []
    assert served.get(f"{ORDERS}/rejected", cause=row["cause"])["total_rows"] == 1
    by_accept = served.client.get(f"{ORDERS}/rejected", headers={"accept": "text/csv"})
    by_format = served.client.get(f"{ORDERS}/rejected", params={"format": "csv"})
    assert by_accept.text == by_format.text
    assert by_accept.headers["content-type"].startswith("text/csv")
    (line,) = csv.DictReader(io.StringIO(by_accept.text))
    assert (line["id"], line["amount"]) == ("2", "many")
    lines = served.client.get(f"{ORDERS}/rejected", params={"format": "jsonl"})
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert json.loads(lines.text)["amount"] == "many"


@pytest.mark.requirement("X4")
def test_a_made_up_cursor_of_rejected_rows_is_refused(served: Served) -> None:
    problem = served.problem(400, f"{ORDERS}/rejected", params={"cursor": "x"})
    assert problem["errors"][0]["parameter"] == "cursor"


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("path", ["", "/files", "/rejected", "/files/download?path=a"])
def test_an_ingestion_that_does_not_exist_is_not_found(served: Served, path: str) -> None:
    served.problem(404, f"/api/ingestions/nothing{path}")
