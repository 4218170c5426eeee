"""File-level error handling, on the running product (requirements I)."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.support.product import BAD, GOOD, ORDERS, Product, wait_for

EVENTS = """
[pipelines.ingest.sources.events]
files = "events/*.jsonl"
table = "events"
settle = "1ms"
columns = { id = "BIGINT", kind = "VARCHAR" }
"""
STRICT = """
[pipelines.ingest.sources.strict]
files = "strict/*.csv"
table = "strict"
mode = "failfast"
settle = "1ms"
columns = { order_id = "BIGINT", amount = "DECIMAL(10,2)" }
"""


@pytest.fixture
def orders(product: Product) -> Product:
    product.configure_orders()
    product.start()
    return product


def quiet_cycles(product: Product, n: int = 2) -> None:
    """Waits till so many further cycles have ended."""
    name = 'triaged_cycles_total{outcome="success",pipeline="ingest"}'
    others = [name.replace("success", other) for other in ("partial", "failed")]

    def ended() -> float:
        metrics = product.metrics()
        return sum(metrics[found] for found in (name, *others))

    before = ended()
    wait_for(lambda: ended() >= before + n)


@pytest.mark.requirement("I1")
def test_a_file_is_read_once_and_again_when_it_changes(orders: Product) -> None:
    orders.drop("a.csv", GOOD)
    first = orders.wait_for_file("a.csv", "success")
    quiet_cycles(orders)
    assert orders.file("a.csv")["last_attempt"] == first["last_attempt"]
    orders.drop("a.csv", GOOD + "3,cy@example.com,5.00\n")
    second = orders.wait_for_file("a.csv", "success", since=first["last_attempt"])
    assert (first["rows_loaded"], second["rows_loaded"]) == (2, 3)
    assert first["content_hash"] != second["content_hash"]
    assert orders.stop() == 0
    # The new version replaced the rows of the old one.
    assert orders.warehouse("SELECT order_id FROM orders ORDER BY ALL") == [(1,), (2,), (3,)]


@pytest.mark.requirement("I2")
def test_a_file_that_failed_is_read_again_when_the_configuration_changed(orders: Product) -> None:
    orders.drop("a.csv", GOOD + "3,cy@example.com,n/a\n")
    orders.drop("b.csv", GOOD)
    before = [orders.wait_for_file(*of) for of in (("a.csv", "partial"), ("b.csv", "success"))]
    assert orders.stop() == 0
    orders.configure_orders(more='null = ["n/a"]\n')
    orders.start()
    orders.wait_for_file("a.csv", "success")
    assert orders.file("b.csv") == before[1]
    assert [f["status"] for f in orders.failures()] == ["resolved"]
    assert orders.stop() == 0
    found = "SELECT count(*), count(amount) FROM orders"
    assert orders.warehouse(found) == [(5, 4)]


@pytest.mark.requirement("I1")
def test_csv_json_lines_json_and_parquet_are_read(product: Product) -> None:
    import duckdb

    product.configure_orders(more=EVENTS.replace("events/*.jsonl", "events/*"))
    (product.folder / "events").mkdir()
    with duckdb.connect() as connection:
        target = product.folder / "events"
        connection.execute(f"COPY (SELECT 1 AS id, 'p' AS kind) TO '{target}/a.parquet'")
        connection.execute(f"COPY (SELECT 2 AS id, 'c' AS kind) TO '{target}/b.csv.gz'")
        connection.execute(
            f"COPY (SELECT 3 AS id, 'l' AS kind) TO '{target}/c.jsonl.zst' (FORMAT json, COMPRESSION zstd)"
        )
    (target / "d.json").write_text('[{"id": 4, "kind": "j"}]')
    product.start()
    for name in ("a.parquet", "b.csv.gz", "c.jsonl.zst", "d.json"):
        product.wait_for_file(name, "success", source="events")
    assert product.stop() == 0
    assert product.warehouse("SELECT id, kind FROM events ORDER BY ALL") == [
        (1, "p"), (2, "c"), (3, "l"), (4, "j"),
    ]  # fmt: skip


@pytest.mark.requirement("I2")
def test_one_bad_file_blocks_no_good_one_and_no_run_with_failures_is_green(orders: Product) -> None:
    orders.drop("a-bad.csv", "")
    orders.drop("b-good.csv", GOOD)
    orders.wait_for_file("b-good.csv", "success")
    bad = orders.wait_for_file("a-bad.csv", "failed")
    run = wait_for(lambda: (r := orders.get(f"/api/runs/{bad['run_id']}"))["end_time"] and r)
    assert run["status"] in ("partial", "failed")
    runs = orders.get("/api/runs", limit=100)["runs"]
    assert all(run["counts"]["failed"] == 0 for run in runs if run["status"] == "success")


@pytest.mark.requirement("I3")
def test_permissive_loads_good_rows_and_sets_bad_ones_aside(orders: Product) -> None:
    orders.drop("bad.csv", BAD)
    file = orders.wait_for_file("bad.csv", "partial")
    assert (file["rows_loaded"], file["rows_rejected"]) == (1, 2)
    rejected = orders.get("/api/ingestions/orders/rejected")["rows"]
    assert [(row["row_number"], row["raw"]) for row in rejected] == [
        (2, "3,cy@example.com,abc"),
        (4, "5,ed@example.com"),
    ]
    assert rejected[0]["column"] == "amount"
    failures = orders.failures()
    assert sorted(f["row_count"] for f in failures) == [1, 1]
    ingestion = orders.get("/api/ingestions/orders")
    assert ingestion["mode"] == "permissive"
    assert "set aside" in ingestion["mode_description"]


@pytest.mark.requirement("I3")
def test_a_million_bad_rows_of_one_cause_are_one_failure(orders: Product) -> None:
    rows = "".join(f"{n},x@example.com,abc\n" for n in range(100_000))
    orders.drop("many.csv", "order_id,email,amount\n" + rows)
    orders.wait_for_file("many.csv", "failed", "partial")
    (failure,) = orders.failures()
    assert failure["row_count"] == 100_000
    assert failure["sample_rows"][0] == 2
    assert len(failure["sample_rows"]) <= 10


@pytest.mark.requirement("I3")
def test_failfast_loads_nothing_of_a_file_with_a_bad_record(product: Product) -> None:
    product.configure_orders(more=STRICT)
    strict = product.folder / "strict"
    strict.mkdir()
    (strict / "a.csv").write_text("order_id,amount\n1,1.00\n2,abc\n3,3.00\n")
    (strict / "b.csv").write_text("order_id,amount\n4,4.00\n")
    product.start()
    product.wait_for_file("b.csv", "success", source="strict")
    file = product.wait_for_file("a.csv", "failed", source="strict")
    assert file["rows_loaded"] == 0
    (failure,) = product.failures(source="strict")
    assert failure["sample_rows"] == [3]
    assert product.stop() == 0
    assert product.warehouse("SELECT order_id FROM strict") == [(4,)]


@pytest.mark.requirement("I3")
def test_rejected_rows_can_be_fixed_in_their_csv_and_loaded_again(orders: Product) -> None:
    orders.drop("bad.csv", BAD + "6,=evil@example.com,xyz\n")
    orders.wait_for_file("bad.csv", "partial")
    text = orders.http.get("/api/ingestions/orders/rejected", params={"format": "csv"}).text
    table = list(csv.DictReader(io.StringIO(text)))
    assert [row["order_id"] for row in table] == ["3", "5", "6"]
    assert table[2]["email"] == "'=evil@example.com"  # a spreadsheet must not run it
    for row in table:
        row["amount"] = "7.00"
    fixed = io.StringIO()
    writer = csv.DictWriter(fixed, list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    orders.drop("fixed.csv", fixed.getvalue())
    orders.wait_for_file("fixed.csv", "success")
    assert orders.stop() == 0
    loaded = orders.warehouse("SELECT order_id, email, amount::VARCHAR FROM orders ORDER BY ALL")
    assert loaded == [
        (3, "cy@example.com", "7.00"),
        (4, "di@example.com", "1.00"),
        (5, "ed@example.com", "7.00"),
        (6, "=evil@example.com", "7.00"),
    ]


@pytest.mark.requirement("I4")
def test_a_failed_file_says_why_and_where_the_full_log_is(orders: Product) -> None:
    orders.drop("latin.csv", GOOD.encode() + "9,j\xfcrgen@example.com,1.00\n".encode("latin-1"))
    file = orders.wait_for_file("latin.csv", "failed")
    assert file["category"] == "data_malformed"
    assert file["retryable"] is False
    assert "UTF-8" in file["user_message"] + file["suggested_action"]
    assert len(file["error_message"].encode()) <= 2048
    assert file["retry_count"] == 0
    log = orders.http.get(file["log_url"]).text.splitlines()
    assert any(json.loads(line).get("file_path") == "latin.csv" for line in log)


@pytest.mark.requirement("I4")
def test_a_long_error_is_cut_at_2_kb_and_whole_in_the_log(product: Product) -> None:
    (product.folder / "long.py").write_text(
        "def work(run):\n    run.fail('x', 'long ' + '\u00e4' * 5000 + ' end of it')\n"
    )
    product.configure('[pipelines.long]\nrun = "long:work"\nevery = "1h"\n')
    product.start()
    (failure,) = wait_for(product.failures)
    assert len(failure["error_message"].encode()) <= 2048
    log = product.http.get(failure["log_url"]).text
    assert "end of it" not in failure["error_message"]
    assert "end of it" in log
    assert all(json.loads(line) for line in log.splitlines())


@pytest.mark.requirement("I5")
def test_a_run_keeps_its_counts_and_its_top_errors_with_examples(orders: Product) -> None:
    orders.drop("a.csv", "")
    orders.drop("b.csv", "")
    orders.drop("good.csv", GOOD)
    bad = orders.wait_for_file("b.csv", "failed")
    run = wait_for(lambda: (r := orders.get(f"/api/runs/{bad['run_id']}"))["end_time"] and r)
    top = run["top_errors"][0]
    assert top["category"] == "data_malformed"
    assert top["count"] == len(top["examples"]) >= 1
    assert "b.csv" in top["examples"]
    assert run["counts"]["failed"] == top["count"]
    assert run["retryable_failures"] == 0


@pytest.mark.requirement("I6")
def test_the_badge_counts_failed_files_and_a_retry_reads_chosen_ones_again(orders: Product) -> None:
    orders.drop("bad.csv", BAD)
    orders.drop("empty.csv", "")
    first = orders.wait_for_file("bad.csv", "partial")
    orders.wait_for_file("empty.csv", "failed")
    (ingestion,) = orders.get("/api/ingestions")["ingestions"]
    badge = ingestion["badge"]
    assert badge["failed_count"] == 2
    assert badge["top_category"] in ("data_malformed", "schema_mismatch")
    assert badge["last_failed_at"] >= first["last_attempt"]
    answer = orders.post("/api/ingestions/orders/files/retry", {"paths": ["bad.csv"]})
    assert answer["paths"] == ["bad.csv"]
    second = orders.wait_for_file("bad.csv", "partial", since=first["last_attempt"])
    assert second["retry_count"] == 1
    assert orders.get("/api/ingestions/orders/files", status="failed")["total_files"] == 1
    retried = orders.post("/api/ingestions/orders/files/retry")
    assert sorted(retried["paths"]) == ["bad.csv", "empty.csv"]


@pytest.mark.requirement("I6")
def test_only_tracked_files_can_be_downloaded(orders: Product) -> None:
    orders.drop("bad.csv", BAD)
    orders.wait_for_file("bad.csv", "partial")
    where = "/api/ingestions/orders/files/download"
    answer = orders.http.get(where, params={"path": "bad.csv"})
    assert answer.text == BAD
    assert "attachment" in answer.headers["content-disposition"]
    (orders.folder / "secret.txt").write_text("secret")
    for path in ("../secret.txt", "/etc/passwd", "..%2fsecret.txt", "nothing.csv", "a\0b"):
        refused = orders.http.get(where, params={"path": path})
        assert refused.status_code in (400, 404), path
        assert "secret" not in refused.text.replace("secret.txt", "")
    outside = orders.folder / "outside.csv"
    outside.write_text("secret")
    (orders.inbox / "bad.csv").unlink()
    (orders.inbox / "bad.csv").symlink_to(outside)
    assert orders.http.get(where, params={"path": "bad.csv"}).status_code == 404


@pytest.mark.requirement("I7")
def test_quarantine_sets_a_copy_aside_and_release_brings_the_file_back(orders: Product) -> None:
    file = orders.drop("bad.csv", BAD)
    first = orders.wait_for_file("bad.csv", "partial")
    orders.post("/api/ingestions/orders/files/quarantine", {"paths": ["bad.csv"]})
    assert orders.file("bad.csv")["status"] == "quarantined"
    assert {f["status"] for f in orders.failures()} == {"quarantined"}
    (manifest,) = (orders.folder / "data/quarantine").rglob("manifest.json")
    assert json.loads(manifest.read_text())["path"] == "bad.csv"
    file.unlink()
    quiet_cycles(orders)
    assert orders.file("bad.csv")["status"] == "quarantined"
    orders.post("/api/ingestions/orders/files/release", {"paths": ["bad.csv"]})
    orders.wait_for_file("bad.csv", "partial", since=first["last_attempt"])
    assert file.read_text() == BAD


@pytest.mark.requirement("I7")
def test_an_ignored_file_is_left_alone_though_it_changes(orders: Product) -> None:
    orders.drop("bad.csv", BAD)
    first = orders.wait_for_file("bad.csv", "partial")
    orders.post("/api/ingestions/orders/files/ignore", {"paths": ["bad.csv"]})
    orders.drop("bad.csv", GOOD)
    quiet_cycles(orders)
    assert orders.file("bad.csv")["last_attempt"] == first["last_attempt"]
    assert (
        orders.metrics()['triaged_failures_open{category="schema_mismatch",pipeline="ingest"}'] == 0
    )


@pytest.mark.requirement("I8")
def test_each_log_line_about_a_failure_names_run_file_category_and_retryable(
    orders: Product,
) -> None:
    orders.drop("bad.csv", BAD)
    file = orders.wait_for_file("bad.csv", "partial")
    messages = {failure["error_message"] for failure in orders.failures()}
    assert orders.stop() == 0
    lines = [json.loads(line) for line in orders.log.read_text().splitlines()]
    about = [line for line in lines if line["event"] == "failure"]
    assert len(about) == 2
    for line in about:
        assert line["run_id"] == file["run_id"]
        assert line["file_path"] == "bad.csv"
        assert line["error_category"] in ("schema_mismatch", "data_malformed")
        assert line["retryable"] is False
    assert {line["error_message"] for line in about} == messages


@pytest.mark.requirement("I1")
def test_a_file_that_still_grows_waits(product: Product) -> None:
    product.configure(ORDERS.format(every="100ms").replace('settle = "1ms"', 'settle = "1h"'))
    product.drop("growing.csv", GOOD)
    product.start()
    quiet_cycles(product)
    assert product.file("growing.csv") is None
    import os

    os.utime(product.inbox / "growing.csv", (1, 1))
    product.wait_for_file("growing.csv", "success")
