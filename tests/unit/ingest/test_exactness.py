"""A number arrives as it is written or its row is set aside: nothing is rounded in silence."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.pipelines.ingest import load
from daemon.pipelines.ingest.exactness import exact
from tests.unit.ingest_support import Ingestion

SCALES = {
    "TINYINT": 0, "INTEGER": 0, "BIGINT": 0, "UBIGINT": 0, "HUGEINT": 0, "DECIMAL(4,1)": 1,
    "DECIMAL(18,4)": 4, "DECIMAL(38,0)": 0, "DECIMAL(38,20)": 20,
}  # fmt: skip
RANGES = {"TINYINT": 2**7, "INTEGER": 2**31, "BIGINT": 2**63, "UBIGINT": 2**64, "HUGEINT": 2**127}
WHOLE = st.one_of(st.integers(-(2**64), 2**64), st.integers(-300, 300), st.integers(0, 10**22))
FRACTION = st.one_of(
    st.just(""), st.just(".0"), st.just(".50"), st.from_regex(r"\.[0-9]{1,22}", fullmatch=True)
)
EXPONENT = st.one_of(
    st.just(""), st.just(""), st.integers(-24, 6).map("e{}".format), st.just("E+2")
)
NUMBERS = st.tuples(WHOLE.map(str), FRACTION, EXPONENT).map("".join)


def fits(text: str, type_: str) -> bool:
    """Whether a column of the type can hold the number that the text writes."""
    with localcontext(prec=200):
        scaled = Decimal(text).scaleb(SCALES[type_])
        if scaled != scaled.to_integral_value():
            return False
        if type_.startswith("DECIMAL"):
            return abs(scaled) < 10 ** int(type_.split("(")[1].split(",", maxsplit=1)[0])
        lowest = 0 if type_.startswith("U") else -RANGES[type_]
        return lowest <= scaled < RANGES[type_]


def may_be_refused(text: str, type_: str) -> bool:
    """Of numbers that fit, DuckDB refuses some whose exponent takes back what is too long."""
    return not fits(text, type_) or "e-" in text


@settings(max_examples=25, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=100), st.sampled_from(list(SCALES)))
def test_a_cast_that_keeps_a_number_is_told_from_one_that_changes_it(texts, type_):
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT v, c, {exact('v', 'c', type_)} FROM (SELECT v, TRY_CAST(v AS {type_}) AS c"
            " FROM (SELECT unnest(?::VARCHAR[]) AS v))",
            [texts],
        ).fetchall()
    for text, value, is_exact in found:
        if value is not None and is_exact:
            assert fits(text, type_), text
            assert value == Decimal(text)
        else:
            assert may_be_refused(text, type_), text


@pytest.mark.requirement("I3")
@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(NUMBERS, min_size=1, max_size=40), type_=st.sampled_from(list(SCALES)))
def test_numbers_are_loaded_exactly_or_set_aside(tmp_path_factory, form, texts, type_):
    columns = {"n": "BIGINT", "value": type_}
    ingestion = Ingestion(tmp_path_factory.mktemp("exact"), columns=columns)
    ingestion.put(f"a.{form}", written(form, texts))
    ingestion.run()
    kept = dict(ingestion.rows())
    assert all(fits(texts[n], type_) for n in kept)
    assert kept == {n: Decimal(texts[n]) for n in kept}
    refused = ingestion.rejected()
    first = 2 if form == "csv" else 1
    assert sorted([row.row_number - first for row in refused] + [*kept]) == [*range(len(texts))]
    assert all(may_be_refused(texts[row.row_number - first], type_) for row in refused)
    assert {row.column_name for row in refused} <= {"value"}


def written(form: str, texts: list[str]) -> str:
    if form == "csv":
        return "n,value\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts))
    objects = [f'{{"n": {n}, "value": {text}}}' for n, text in enumerate(texts)]
    return "\n".join(objects) if form == "jsonl" else f"[{', '.join(objects)}]"


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
@pytest.mark.parametrize(
    "text", ["6644962352586155E+2", "664496235258615.5E+3", "66449623525861551"]
)
def test_sixteen_digits_and_more_arrive_whole(tmp_path, form, text):
    ingestion = Ingestion(tmp_path, columns={"n": "BIGINT", "value": "BIGINT"})
    ingestion.put(f"a.{form}", written(form, [text]))
    ingestion.run()
    assert dict(ingestion.rows()) == {0: Decimal(text)}


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_a_rounded_value_is_named_by_row_and_column(tmp_path, form):
    ingestion = Ingestion(tmp_path, columns={"n": "BIGINT", "value": "DECIMAL(10,2)"})
    ingestion.put(f"a.{form}", written(form, ["1.00", "1.005", "1.50"]))
    run = ingestion.run()
    error_class = "CAST" if form == "csv" else "JSON_TYPE"
    assert run.causes == [(f"a.{form}", error_class, "value", 1)]
    assert [row.row_number for row in ingestion.rejected()] == [3 if form == "csv" else 2]
    assert ingestion.rows() == [(0, Decimal("1.00")), (2, Decimal("1.50"))]


@pytest.mark.usefixtures("either_way")
def test_long_numbers_keep_their_digits_wherever_they_are_in_an_object(tmp_path):
    columns = {"text": "VARCHAR", "tree": "JSON", "list": "DECIMAL(38,20)[]"}
    ingestion = Ingestion(tmp_path, columns=columns)
    number = "12345678901234567.12345678901234567890"
    string = f'\\ "{number}" , {number}'
    tree = f'{{"a":[{number},"{number}","",-1e400,{{"{number}":null}}],"b":{json.dumps(string)}}}'
    ingestion.put(
        "a.jsonl",
        f'{{"text":{number},"tree":{tree},"list":[{number}]}}\n'
        f'{{"text":{json.dumps(string)},"tree":{number}}}\n',
    )
    assert not ingestion.run().failures
    assert ingestion.rows() == [(number, tree, [Decimal(number)]), (string, number, None)]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    ("type_", "kept", "refused"),
    [
        ("DATE", ["2024-01-01", "2024-01-01 00:00:00"], ["2024-01-01 10:00:00"]),
        ("DOUBLE", ["0.1", "1e300", "inf"], ["1e400"]),
        ("FLOAT", ["16777217", "-inf"], ["1e39"]),
    ],
)
def test_times_are_not_cut_off_and_numbers_do_not_become_infinite(tmp_path, type_, kept, refused):
    ingestion = Ingestion(tmp_path, columns={"n": "BIGINT", "value": type_})
    ingestion.put("a.csv", written("csv", kept + refused))
    ingestion.run()
    assert len(ingestion.rows()) == len(kept)
    assert [row.raw.split(",")[1] for row in ingestion.rejected()] == refused


PIECES = [
    "1",
    "2.5",
    "x",
    '"',
    '""',
    ",",
    ",",
    "\n",
    "\n",
    "\r\n",
    " ",
    "1,a,2\n",
    "y,b,1\n",
    '3,"c",4\n',
]


@pytest.mark.requirement("I3")
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_a_large_file_is_read_exactly_as_a_small_one(tmp_path_factory, text):
    found = []
    for size in (-1, 1 << 30):
        ingestion = Ingestion(tmp_path_factory.mktemp("both"))
        ingestion.put("a.csv", "order_id,email,amount\n" + text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(load, "_SMALL", size)
            run = ingestion.run()
        places = [(r.row_number, r.column_name, r.error_class, r.raw) for r in ingestion.rejected()]
        found.append((ingestion.rows(), places, run.causes))
    assert found[0] == found[1]
