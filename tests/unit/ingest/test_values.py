"""No value is changed without a word: what a column cannot hold as it is written is set aside."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from daemon.pipelines.ingest.checks import problems_of
from tests.unit.ingest_support import Ingestion

pytestmark = pytest.mark.usefixtures("either_way")


def put(ingestion: Ingestion, form: str, values: list[str]) -> None:
    """A file of rows n, value; in JSON a value is a string."""
    if form == "csv":
        rows = ('{},"{}"\n'.format(n, value.replace('"', '""')) for n, value in enumerate(values))
        ingestion.put("a.csv", "n,value\n" + "".join(rows))
    elif form == "parquet":
        place = ingestion.put("a.parquet", b"")
        duckdb.execute(
            f"COPY (SELECT unnest(?) AS n, unnest(?) AS value) TO '{place}' (FORMAT parquet)",
            [list(range(len(values))), values],
        )
        ingestion.put("a.parquet", place.read_bytes())
    else:
        records = [json.dumps({"n": n, "value": value}) for n, value in enumerate(values)]
        text = "\n".join(records) if form == "jsonl" else f"[{','.join(records)}]"
        ingestion.put(f"a.{form}", text)


def loaded(tmp_path: Path, form: str, type_: str, values: list[str], **source: Any) -> list[Any]:
    """What arrived of each value as the database writes it, or REJECTED."""
    ingestion = Ingestion(tmp_path, columns={"n": "BIGINT", "value": type_}, **source)
    put(ingestion, form, values)
    ingestion.run()
    found = (
        dict(ingestion.query("SET TimeZone = 'UTC'; SELECT n, value::VARCHAR FROM orders"))
        if (
            (ingestion.base / "warehouse.duckdb").exists()
            and ingestion.query("FROM duckdb_tables() WHERE table_name = 'orders'")
        )
        else {}
    )
    rejected = {row.row_number - (2 if form == "csv" else 1) for row in ingestion.rejected()}
    assert found.keys() | rejected == set(range(len(values)))
    assert not found.keys() & rejected
    return [found.get(n, REJECTED) for n in range(len(values))]


REJECTED = "rejected"
TIMES = {
    "2024-01-02 10:00:00": "2024-01-02 10:00:00",
    "2024-01-02T10:00:00.5": "2024-01-02 10:00:00.5",
    "2024-01-02T10:00:00Z": "2024-01-02 10:00:00",
    "2024-01-02 10:00:00+00": "2024-01-02 10:00:00",
    "2024-01-02 10:00:00.123456000": "2024-01-02 10:00:00.123456",
    "2024-01-02 10:00:00+02": REJECTED,
    "2024-01-02T10:00:00-05:00": REJECTED,
    "2024-01-02 10:00:00 PM": REJECTED,
    "2024-01-02 10:00:00 AM": REJECTED,
    "2024-01-02 10:00:00 approx": REJECTED,
    "2024-01-02 10:00:00 下午": REJECTED,
    "2024-01-02 10:00:00.1234567": REJECTED,
    "24-01-02 10:00:00": REJECTED,
    "01/02/24": REJECTED,
    "25/12/2024 10:00": REJECTED,
}
FORMS = ["csv", "jsonl", "json", "parquet"]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", FORMS)
def test_a_timestamp_holds_the_time_that_was_written_or_none(tmp_path: Path, form: str):
    assert loaded(tmp_path, form, "TIMESTAMP", list(TIMES)) == list(TIMES.values())


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("DATE", {"2024-01-02": "2024-01-02", "2024/1/2": "2024-01-02", "24-01-02": REJECTED,
                  "2024-01-02 00:00:00": "2024-01-02", "2024-01-02 10:00:00": REJECTED,
                  "2024-01-02T00:00:00+02:00": REJECTED, "25.12.2024": REJECTED}),
        ("TIME", {"10:00": "10:00:00", "10:00:00.5": "10:00:00.5", "10:00:00 PM": REJECTED,
                  "10:00:00 xx": REJECTED, "10:00:00+02": REJECTED, "10:00:00.1234567": REJECTED}),
        ("TIMESTAMP_MS", {"2024-01-02 10:00:00.123": "2024-01-02 10:00:00.123",
                          "2024-01-02 10:00:00.1234": REJECTED, "2024-01-02 10:00 PM": REJECTED}),
        ("TIMESTAMP_NS", {"2024-01-02 10:00:00.123456789": "2024-01-02 10:00:00.123456789",
                          "2024-01-02 10:00:00.1234567891": REJECTED}),
        ("TIMESTAMPTZ", {"2024-01-02 10:00:00+02": "2024-01-02 08:00:00+00", "24-01-02": REJECTED,
                         "2024-01-02 10:00:00": "2024-01-02 10:00:00+00",
                         "2024-01-02 10:00:00 PM": REJECTED}),
        ("INTEGER[]", {"[1, 2]": "[1, 2]", "[]": "[]", "[1, x]": REJECTED, "[1.5]": REJECTED,
                       '[1, "x"]': REJECTED, "[1, null]": "[1, NULL]", "[99999999999]": REJECTED}),
        ("INTEGER[][]", {"[[1], [2, 3]]": "[[1], [2, 3]]", "[[1, x]]": REJECTED,
                         "[5]": REJECTED, "[null, [1]]": "[NULL, [1]]", "5": REJECTED}),
        ("DATE[]", {"[2024-01-02]": "[2024-01-02]", "[01/02/24]": REJECTED}),
        ("STRUCT(a INTEGER, b VARCHAR)", {'{"a": 1, "b": "x"}': "{'a': 1, 'b': x}",
                                          '{"a": "y", "b": "x"}': REJECTED, "5": REJECTED}),
        ("STRUCT(a INTEGER[], b STRUCT(c DATE)[])", {
            '{"a": [1], "b": [{"c": "2024-01-02"}]}': "{'a': [1], 'b': [{'c': 2024-01-02}]}",
            '{"a": 1, "b": null}': REJECTED, '{"a": null, "b": [5]}': REJECTED,
            '{"a": null, "b": [{"c": "2024-01-02 PM"}]}': REJECTED}),
        ("MAP(VARCHAR, DECIMAL(4,1))", {'{"k": 1.5}': "{k=1.5}", '{"k": 1.55}': REJECTED}),
        ("ENUM('a', 'b c')", {"a": "a", "b c": "b c", "c": REJECTED}),
    ],
)  # fmt: skip
def test_values_arrive_as_written_or_are_set_aside(tmp_path, form, type_, values):
    assert loaded(tmp_path, form, type_, list(values)) == list(values.values())


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_elements_of_json_keep_their_text_and_their_digits(tmp_path: Path, form: str):
    ingestion = Ingestion(tmp_path, columns={"names": "VARCHAR[]", "sums": "DECIMAL(38,2)[]"})
    record = '{"names": ["é", "\\u00e9,\\"x\\"", null], "sums": [12345678901234567890.12, 1.50]}'
    ingestion.put(f"a.{form}", record if form == "jsonl" else f"[{record}]")
    assert not ingestion.run().failures
    assert ingestion.query("SELECT names, sums::VARCHAR FROM orders") == [
        (["é", 'é,"x"', None], "[12345678901234567890.12, 1.50]")
    ]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_time_without_a_zone_is_one_of_the_zone_that_is_configured(tmp_path: Path, form: str):
    values = ["2024-07-01 10:00:00", "2024-07-01 10:00:00+00"]
    found = loaded(tmp_path, form, "TIMESTAMPTZ", values, timezone="Europe/Berlin")
    assert found == ["2024-07-01 08:00:00+00", "2024-07-01 10:00:00+00"]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("zone", "values"),
    [
        ("Europe/Berlin", {"2024-03-31 01:59:59": "2024-03-31 00:59:59+00", "2024-03-31 02:30:00": REJECTED,
                           "2024-03-31T02:00": REJECTED, "2024-03-31 03:00:00": "2024-03-31 01:00:00+00",
                           "2024-03-31 02:30:00+01:00": "2024-03-31 01:30:00+00",
                           "2024-10-27 02:30:00": "2024-10-27 01:30:00+00"}),
        ("America/Sao_Paulo", {"2018-11-04": REJECTED, "2018-11-05": "2018-11-05 02:00:00+00"}),
        ("UTC", {"2024-03-31 02:30:00": "2024-03-31 02:30:00+00"}),
    ],
)  # fmt: skip
def test_a_time_that_the_clocks_skipped_is_set_aside(tmp_path, form, zone, values):
    found = loaded(tmp_path, form, "TIMESTAMPTZ", list(values), timezone=zone)
    assert found == list(values.values())


@pytest.mark.requirement("I3")
def test_a_time_of_parquet_that_the_clocks_skipped_is_set_aside(tmp_path: Path):
    ingestion = Ingestion(tmp_path, columns={"at": "TIMESTAMPTZ"}, timezone="Europe/Berlin")
    place = ingestion.put("a.parquet", b"")
    times = "TIMESTAMP '2024-03-31 02:30:00', TIMESTAMP '2024-03-31 03:30:00'"
    duckdb.execute(f"COPY (SELECT unnest([{times}]) AS at) TO '{place}' (FORMAT parquet)")
    ingestion.put("a.parquet", place.read_bytes())
    assert ingestion.run().causes == [("a.parquet", "CAST", "at", 1)]
    assert ingestion.query("SELECT epoch(orders.at)::BIGINT FROM orders") == [(1711848600,)]


def test_the_zone_of_the_process_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert loaded(tmp_path, "csv", "TIMESTAMPTZ", ["2024-07-01 10:00:00"]) == [
        "2024-07-01 10:00:00+00"
    ]


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    "type_",
    [
        "INTEGER); DROP TABLE x; --",
        "INTEGER) --",
        "VARCHAR DEFAULT 1",
        "(SELECT 1)",
        "ENUM('a'",
        "",
    ],
)
def test_what_is_no_type_is_refused(tmp_path: Path, type_: str):
    ingestion = Ingestion(tmp_path, columns={"n": type_})
    assert [problem.where for problem in problems_of(ingestion.config, ingestion.base)] == [
        "pipelines.ingest.sources.orders.columns.n"
    ]


@pytest.mark.parametrize(
    "type_",
    ["TIMESTAMP_NS", "timestamp_ms", "ENUM('a', 'it''s')", 'STRUCT(a INTEGER, "b c" VARCHAR[])',
     "MAP(VARCHAR, DECIMAL(10,2))", "INTEGER[3]", "STRUCT(m MAP(VARCHAR, INTEGER[]))[]"],
)  # fmt: skip
def test_types_of_every_shape_can_be_declared(tmp_path: Path, type_: str):
    ingestion = Ingestion(tmp_path, columns={"n": "BIGINT", "v": type_})
    assert problems_of(ingestion.config, ingestion.base) == []
    ingestion.put("a.csv", "n,v\n1,\n")
    assert not ingestion.run().failures
    ingestion.put("b.csv", "n,v\n2,\n")
    assert not ingestion.run().failures
    assert ingestion.rows() == [(1, None), (2, None)]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
@pytest.mark.parametrize(
    "value",
    ["25/12/2024", "12/25/2024", "25.12.2024", "2024-01-02 10:00:00 PM", "01/02/24", "0012",
     "+491234", "2024-01-02T10:00:00+02:00", "10:00:00 AM", "1 234", "1,5", "12%"],
)  # fmt: skip
def test_what_is_inferred_loads_as_it_is_written(tmp_path: Path, form: str, value: str):
    ingestion = Ingestion(tmp_path, columns=None)
    put(ingestion, form, [value, value])
    assert not ingestion.run().failures
    [(count, same)] = ingestion.query(
        f"SELECT count(*), bool_and(value::VARCHAR = '{value}') FROM orders"
    )
    zoned = datetime(2024, 1, 2, 8, tzinfo=UTC)
    assert count == 2
    assert same or ingestion.query("SELECT DISTINCT epoch(value) FROM orders") == [
        (zoned.timestamp(),)
    ]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize(
    ("values", "type_"),
    [(["2024-01-02", "2024-02-03"], "DATE"), (["1", "2"], "BIGINT"), (["1.5", ""], "DOUBLE"),
     (["0.30000000000000004", "1.7976931348623157e308"], "DOUBLE")],
)  # fmt: skip
def test_what_is_plain_is_inferred_as_it_looks(tmp_path: Path, values: list[str], type_: str):
    ingestion = Ingestion(tmp_path, columns=None)
    put(ingestion, "csv", values)
    assert not ingestion.run().failures
    assert ingestion.query("SELECT DISTINCT typeof(value) FROM orders") == [(type_,)]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "long", ["9007199254740993", "12345678901234567890.5", "-0.12345678901234567890"]
)
def test_numbers_that_a_double_would_round_are_inferred_as_text(
    tmp_path: Path, form: str, long: str
):
    ingestion = Ingestion(tmp_path, columns=None)
    if form == "csv":
        ingestion.put("a.csv", f"value\n{long}\n1.5\n")
    else:
        ingestion.put("a.jsonl", f'{{"value": {long}}}\n{{"value": 1.5}}\n')
    assert not ingestion.run().failures
    assert sorted(ingestion.rows()) == sorted([(long,), ("1.5",)])
