"""JSON lines and JSON documents."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.ingest_support import Ingestion

pytestmark = pytest.mark.usefixtures("either_way")


@pytest.mark.requirement("I3")
def test_bad_lines_are_set_aside_by_what_is_wrong_with_them(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    lines = [
        '{"order_id":1,"email":"a","amount":2.5}',
        "",
        "{oops",
        "[1]",
        '{"order_id":"x"}',
        '{"unknown":1}',
        "{}",
        "\t",
        '{"order_id":2,"amount":null,"more":[1]}',
    ]
    ingestion.put("a.jsonl", "\n".join(lines))
    ingestion.run()
    assert ingestion.rows() == [
        (1, "a", Decimal("2.50")),
        (2, None, None),
        (None, None, None),
    ]
    assert [(r.row_number, r.error_class, r.column_name) for r in ingestion.rejected()] == [
        (3, "JSON_SYNTAX", None),
        (4, "JSON_NOT_OBJECT", None),
        (5, "JSON_TYPE", "order_id"),
        (6, "JSON_NO_COLUMN", None),
    ]


def test_nested_values_go_to_text_and_json_columns(tmp_path: Path):
    columns = {"id": "BIGINT", "tags": "JSON", "list": "INTEGER[]", "text": "VARCHAR"}
    ingestion = Ingestion(tmp_path, columns=columns)
    ingestion.put("a.jsonl", '{"id":1,"tags":"plain","list":[1,2],"text":{"a":[1]}}\n')
    assert not ingestion.run().failures
    assert ingestion.rows() == [(1, '"plain"', [1, 2], '{"a":[1]}')]


def test_control_characters_quotes_and_delimiters_in_a_line_survive(tmp_path: Path):
    ingestion = Ingestion(tmp_path, columns={"id": "BIGINT", "t": "VARCHAR"})
    text = "a\x1fb\0c\"d'e,f\\g\th\u2028i"
    ingestion.put("a.jsonl", json.dumps({"id": 1, "t": text}) + "\n" + "bad \x1f \0 \" ' line\n")
    ingestion.run()
    assert ingestion.rows() == [(1, text)]
    assert ingestion.rejected()[0].raw == "bad \x1f \0 \" ' line"


@pytest.mark.parametrize(
    "document",
    [
        '[{"order_id":1,"email":"a","amount":1}, {"order_id":\n2,"email":"b","amount":2}]',
        '\ufeff[{"order_id":1,"email":"a","amount":1},{"order_id":2,"email":"b","amount":2}]',
        '{"order_id":1,"email":"a","amount":1}\n{"order_id":2,"email":"b","amount":2}\n',
    ],
)
def test_a_document_is_an_array_of_objects_or_objects_in_a_row(tmp_path, document):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.json", document)
    assert not ingestion.run().failures
    assert ingestion.rows() == [(1, "a", Decimal("1.00")), (2, "b", Decimal("2.00"))]


def test_elements_of_the_wrong_type_are_set_aside_by_their_place(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.json", '[{"order_id":1,"email":"a","amount":1},{"order_id":"x"},5]')
    ingestion.run()
    assert [(r.row_number, r.error_class) for r in ingestion.rejected()] == [
        (2, "JSON_TYPE"),
        (3, "JSON_NOT_OBJECT"),
    ]


@pytest.mark.requirement("I2")
def test_a_broken_document_fails_whole_and_without_its_values(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.json", '[{"order_id":1,"email":"a","amount":1},{"secret"]')
    ingestion.put("b.json", "[]")
    run = ingestion.run()
    assert [(f.item, f.in_part) for f in run.failures] == [("a.json", False)]
    assert "secret" not in run.failures[0].message
    assert "JSON" in run.failures[0].message
    assert ingestion.rows() == []
    assert list(run.succeeded) == ["b.json"]


def test_types_are_inferred_from_the_objects_alone(tmp_path: Path):
    ingestion = Ingestion(tmp_path, columns=None)
    ingestion.put("a.jsonl", 'oops\n{"id":1,"day":"2024-01-01 10:00:00","sub":{"a":1}}\n')
    run = ingestion.run()
    assert run.causes == [("a.jsonl", "JSON_SYNTAX", None, 1)]
    assert ingestion.query("SELECT typeof(id), typeof(day), typeof(sub) FROM orders") == [
        ("BIGINT", "TIMESTAMP", "JSON")
    ]


def test_failfast_names_the_line(tmp_path: Path):
    ingestion = Ingestion(tmp_path, mode="failfast")
    ingestion.put("a.jsonl", '{"order_id":1}\n{oops\n')
    [failure] = ingestion.run().failures
    assert failure.error_class == "JSON_SYNTAX"
    assert "row 2" in failure.message


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_keys_are_found_by_name_and_failing_that_without_regard_to_case(tmp_path, form):
    ingestion = Ingestion(tmp_path, columns={"id": "BIGINT", "v/1": "VARCHAR", "j": "JSON"})
    records = [
        '{"id":1,"v/1":"a","j":{"x":12345678901234567890}}',
        '{"ID":12345678901234567,"V/1":"b","J":[1]}',
        '{" Id ":3,"v/1":"c","other":1,"j":null}',
        '{"ID":7,"id":4,"v/1":"d"}',
        '{"v/1":"e"}',
    ]
    ingestion.put(f"a.{form}", "\n".join(records) if form == "jsonl" else f"[{','.join(records)}]")
    assert not ingestion.run().failures
    assert sorted(ingestion.rows(), key=lambda row: row[1]) == [
        (1, "a", '{"x":12345678901234567890}'),
        (12345678901234567, "b", "[1]"),
        (3, "c", None),
        (4, "d", None),
        (None, "e", None),
    ]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_a_record_with_two_keys_for_one_column_is_set_aside(tmp_path, form):
    ingestion = Ingestion(tmp_path, columns={"id": "BIGINT", "v": "VARCHAR"})
    records = [
        '{"id":1,"v":"a"}',
        '{"id":2,"v":"b","id":3}',
        '{"Id":4,"ID":5,"v":"c"}',
        '{"x":1,"id":6,"x":2}',
    ]
    ingestion.put(f"a.{form}", "\n".join(records) if form == "jsonl" else f"[{','.join(records)}]")
    run = ingestion.run()
    assert run.causes == [(f"a.{form}", "JSON_TWIN_KEYS", None, 2)]
    assert [row.row_number for row in ingestion.rejected()] == [2, 3]
    assert ingestion.rows() == [(1, "a"), (6, None)]


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("record", ['{"a":{"x":1,"X":2},"b":[1]}', '{"a":1,"A":2,"b":3}'])
def test_keys_that_differ_in_case_are_no_hindrance_to_find_out_columns(tmp_path, record):
    ingestion = Ingestion(tmp_path, columns=None)
    ingestion.put("a.jsonl", record + "\n" + record.replace("b", "B") + "\n")
    run = ingestion.run()
    assert not run.failures
    assert [name for name, *_ in ingestion.query("DESCRIBE orders")] == ["a", "b", "_file_id"]
    assert ingestion.query("SELECT count(*), count(a), count(b) FROM orders") == [(2, 2, 2)]
