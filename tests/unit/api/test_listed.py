"""Lists come as CSV by one rule everywhere, with the columns that their records have in JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.api_support import CONFIG, Served, put_files, serving

LISTS = {
    "/api/failures": "failures",
    "/api/processing/failures": "failures",
    "/api/failures/groups": "groups",
    "/api/failures/unclassified": "groups",
    "/api/runs": "runs",
    "/api/processing/history": "runs",
    "/api/ingestions/orders/files": "files",
    "/api/audit": "entries",
}
FILES = (
    "/api/export/failures.csv",
    "/api/export/audit.csv",
    "/api/ingestions/orders/rejected",
    "/api/report/failures",
)
ODD = '[pipelines.odd]\nrun = "tests.unit.api.test_listed:odd"\n'
MARK = "\ufeff".encode()


def odd(run: Any) -> None:
    """What no rule recognises, in two ways."""
    run.fail("a", "the flux capacitor hums")
    run.fail("b", "a gremlin ate the sprocket")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("listed")
    put_files(folder)
    with serving(folder, CONFIG + ODD) as served:
        served.run("mailbox")
        served.run("odd")
        served.run("ingest")
        served.client.post("/api/pipelines/ingest/pause")
        assert served.daemon.writer.flush(20)
        yield served


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


@pytest.mark.requirement("M6")
@pytest.mark.parametrize(("path", "field"), LISTS.items())
def test_a_list_comes_as_csv_with_the_rows_and_columns_of_its_json(
    served: Served, path: str, field: str
) -> None:
    answer: dict[str, Any] = served.get(path, limit=1)
    by_format = served.client.get(path, params={"limit": 1, "format": "csv"})
    by_accept = served.client.get(path, params={"limit": 1}, headers={"Accept": "text/csv"})
    assert by_format.content == by_accept.content
    assert by_format.headers["content-type"].startswith("text/csv")
    (row,), (record,) = table(by_format.content), answer[field]
    assert list(row) == list(record)
    for name, value in record.items():
        if isinstance(value, str):
            assert row[name].lstrip("'") == value, name
        elif value is None:
            assert row[name] == "", name
    assert by_format.headers.get("x-next-cursor") == answer.get("next_cursor")


@pytest.mark.parametrize("path", LISTS)
def test_what_is_asked_for_outright_comes_before_what_is_accepted(
    served: Served, path: str
) -> None:
    asked = served.client.get(path, params={"format": "json"}, headers={"Accept": "text/csv"})
    assert asked.headers["content-type"] == "application/json"
    for accept in ("*/*", "text/html, */*;q=0.1", "nonsense", ""):
        usual = served.client.get(path, headers={"Accept": accept})
        assert usual.headers["content-type"] == "application/json"
    (mistake,) = served.problem(400, path, params={"format": "xml"})["errors"]
    assert mistake == {"expected": "one of csv, json", "parameter": "format"}


@pytest.mark.parametrize("path", [*LISTS, *FILES])
def test_excel_gets_a_byte_order_mark_and_nobody_else(served: Served, path: str) -> None:
    usual = {} if path.startswith("/api/export") else {"format": "csv"}
    plain = served.client.get(path, params=usual).content
    marked = served.client.get(path, params={**usual, "excel": "true"}).content
    assert marked == MARK + plain
    assert plain[:3] != MARK
    assert len(table(plain)) >= 1


@pytest.mark.parametrize(
    ("path", "field"), [*LISTS.items(), ("/api/failures/groups/{group}", "affected_sources")]
)
def test_every_list_is_paged_by_cursors_and_refuses_others(
    served: Served, path: str, field: str
) -> None:
    (group,) = served.get("/api/failures/groups", q="credentials")["groups"]
    path = path.format(group=group["failure_group"])
    everything = served.get(path, limit=100)[field]
    found: list[Any] = []
    cursor = None
    while len(found) <= len(everything):
        page = served.get(path, limit=1, **({"cursor": cursor} if cursor else {}))
        found += page[field]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == everything
    if field != "files":  # a path that is not there is a place between others
        served.problem(400, path, params={"cursor": "nonsense"})


def test_a_cursor_decides_where_an_offset_is_given_too(served: Served) -> None:
    path = "/api/failures/groups"
    assert served.get(path, cursor="1")["groups"] == served.get(path, offset=1)["groups"]
    assert served.get(path, cursor="1", offset=9)["groups"] == served.get(path, offset=1)["groups"]
