"""The ingest pipeline as a run sees it: which files it takes, and what it reports."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from daemon.config.values import Duration
from daemon.errors import NotFound
from daemon.pipelines.ingest import file_load, pipeline
from daemon.pipelines.ingest.checks import problems_of
from daemon.pipelines.ingest.config import IngestConfig, IngestSource
from daemon.pipelines.ingest.failures import FolderError, WarehouseError
from daemon.pipelines.ingest.known import KnownFiles
from tests.unit.ingest_support import Ingestion, RecordingRun

HEADER = "order_id,email,amount\n"
ONE, TWO = HEADER + "1,a,1\n", HEADER + "1,a,1\n2,b,2\n"


@pytest.mark.requirement("I1")
def test_a_file_is_read_once_and_again_when_it_changed(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", ONE)
    run = ingestion.run()
    facts = run.succeeded["a.csv"]
    assert facts is not None
    assert (facts.size, facts.rows_loaded, facts.rows_rejected) == (len(ONE), 1, 0)
    assert len(facts.content_hash) == 32
    assert ingestion.run().skipped == [1]
    ingestion.put("a.csv", HEADER + "5,e,5\n", age=30)
    ingestion.run()
    assert ingestion.rows() == [(5, "e", Decimal("5.00"))]


@pytest.mark.requirement("I1")
def test_a_file_that_was_only_touched_is_learned_but_not_loaded_again(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", TWO)
    ingestion.run()
    ingestion.query("UPDATE orders SET email = 'kept'")
    ingestion.run()
    warehouse = tmp_path / "warehouse.duckdb"
    untouched = warehouse.stat()
    place = ingestion.put("a.csv", TWO, age=10)
    facts = ingestion.run().succeeded["a.csv"]
    assert facts is not None
    assert (facts.mtime_ns, facts.rows_loaded) == (place.stat().st_mtime_ns, 2)
    assert facts.repeated
    assert warehouse.stat().st_mtime_ns == untouched.st_mtime_ns
    assert ingestion.run().skipped == [1]
    assert [row[1] for row in ingestion.rows()] == ["kept", "kept"]


@pytest.mark.requirement("I1")
def test_a_touched_file_with_rejected_rows_is_reported_but_not_counted_again(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "1,a,1\nx,b,1\n")
    first = ingestion.run()
    ingestion.put("a.csv", HEADER + "1,a,1\nx,b,1\n", age=10)
    second = ingestion.run()
    assert second.causes == first.causes
    assert [f.facts.repeated for f in first.failures if f.facts] == [False]
    assert [f.facts.repeated for f in second.failures if f.facts] == [True]


@pytest.mark.requirement("I1")
def test_every_file_is_in_the_ledger_with_its_rows(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", TWO)
    ingestion.put("b.csv", HEADER + "x,b,1\n9,i,9\n")
    ingestion.run()
    assert ingestion.query(
        "SELECT path, source, table_name, rows_loaded, rows_rejected, run_id, count(order_id)"
        " FROM triaged_files LEFT JOIN orders ON _file_id = file_id GROUP BY ALL ORDER BY path"
    ) == [
        ("a.csv", "orders", "orders", 2, 0, "run-1", 2),
        ("b.csv", "orders", "orders", 1, 1, "run-1", 1),
    ]


@pytest.mark.requirement("I2")
def test_bad_files_of_every_kind_do_not_stop_good_ones(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("0empty.csv", "")
    ingestion.put("1binary.csv", os.urandom(5000))
    ingestion.put("2broken.json", "[{")
    ingestion.put("3unknown.doc", "x")
    ingestion.put("4cut.csv.gz", b"\x1f\x8b\x08")
    ingestion.put("5fake.parquet", "PAR1 not really PAR1")
    (ingestion.inbox / os.fsdecode(b"6\xff.csv")).write_text(ONE)
    os.utime(ingestion.inbox / os.fsdecode(b"6\xff.csv"), (0, 0))
    ingestion.put("9good.csv", ONE)
    run = ingestion.run()
    assert list(run.succeeded) == ["9good.csv"]
    assert [(f.item, f.error_class) for f in run.failures] == [
        ("0empty.csv", "EMPTY_FILE"),
        ("1binary.csv", "ENCODING"),
        ("2broken.json", "JSON_DOCUMENT"),
        ("3unknown.doc", "UNKNOWN_FORMAT"),
        ("4cut.csv.gz", "COMPRESSION"),
        ("5fake.parquet", "NOT_PARQUET"),
        ("6\\xff.csv", "FILE_NAME"),
    ]
    assert ingestion.rows() == [(1, "a", Decimal("1.00"))]


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(
    "name",
    ["a[1].csv", "a*.csv", "what?.csv", "it's; DROP TABLE orders.csv", 'q"uote.csv', "new\nline.csv",
     "ünï \u202e.csv", "-rf.csv", "{a,b}.csv", "$HOME.csv", "a\\b.csv", "%s.csv"],
)  # fmt: skip
def test_any_name_of_a_file_is_only_a_name(tmp_path, name):
    ingestion = Ingestion(tmp_path / "in [x]* it's")
    ingestion.put("a1.csv", HEADER + "1,other,1\n")
    ingestion.put(name, HEADER + "2,this,2\nx,bad,1\n")
    run = ingestion.run()
    assert [(f.item, f.row_count) for f in run.failures] == [(name, 1)]
    assert [row[1] for row in ingestion.rows()] == ["other", "this"]
    assert [row.path for row in ingestion.rejected()] == [name]
    assert ingestion.query("SELECT path FROM triaged_files ORDER BY path") == sorted(
        [("a1.csv",), (name,)]
    )


@pytest.mark.parametrize("name", ['a"b', "it's", "x; DROP TABLE t", "select", "ünï", "a\nb"])
def test_any_name_of_a_column_is_only_a_name(tmp_path, name):
    ingestion = Ingestion(tmp_path, columns={name: "BIGINT", "other": "VARCHAR"})
    quoted = name.replace('"', '""')
    ingestion.put("a.csv", f'"{quoted}",other\n1,a\nx,b\n')
    run = ingestion.run()
    assert [(f.column, f.row_count) for f in run.failures] == [(name, 1)]
    assert ingestion.rows() == [(1, "a")]


def test_a_file_that_may_still_be_growing_waits(tmp_path: Path):
    ingestion = Ingestion(tmp_path, settle=Duration(30))
    ingestion.put("a.csv", ONE, age=5)
    ingestion.put("future.csv", ONE, age=-5)
    run = ingestion.run()
    assert run.skipped == ["a.csv", "future.csv"]
    assert not (tmp_path / "warehouse.duckdb").exists()
    ingestion.put("a.csv", ONE, age=31)
    ingestion.put("future.csv", ONE, age=-3600)
    assert sorted(ingestion.run().succeeded) == ["a.csv", "future.csv"]


@pytest.mark.requirement("I1")
@pytest.mark.parametrize("change", ["append", "replace"])
def test_a_file_that_changes_while_it_loads_is_left_for_the_next_cycle(
    tmp_path, change, monkeypatch
):
    ingestion = Ingestion(tmp_path)
    place = ingestion.put("a.csv", HEADER + "1,a,1\nx,b,1\n")
    original = file_load.load_carefully

    def load_and_change(*arguments):
        original(*arguments)
        if change == "append":
            with place.open("a") as file:
                file.write("3,c,3\n")
        else:
            stat = place.stat()
            place.rename(tmp_path / "moved")
            ingestion.put("a.csv", HEADER + "1,a,1\ny,b,1\n")
            os.utime(place, ns=(stat.st_mtime_ns, stat.st_mtime_ns))

    monkeypatch.setattr(file_load, "load_carefully", load_and_change)
    run = ingestion.run()
    assert (run.skipped, run.succeeded, run.failures) == (["a.csv"], {}, [])
    assert ingestion.query("SELECT count(*) FROM triaged_files") == [(0,)]
    assert ingestion.rejected() == []


def test_a_file_that_vanished_or_was_moved_away_is_no_failure(tmp_path: Path, monkeypatch):
    ingestion = Ingestion(tmp_path)
    vanishing = ingestion.put("a.csv", ONE)
    moving = ingestion.put("b.csv", TWO)
    candidates, counted = KnownFiles.candidates, []

    def then_remove(known, listed, holds):
        found = candidates(known, listed, holds)
        if counted:
            vanishing.unlink()
        counted.append(len(found))
        return found

    original = file_load.load_carefully
    monkeypatch.setattr(KnownFiles, "candidates", then_remove)
    monkeypatch.setattr(
        file_load, "load_carefully", lambda *a: (original(*a), moving.unlink(missing_ok=True))
    )
    run = ingestion.run()
    assert (run.skipped, list(run.succeeded), run.failures) == (["a.csv"], ["b.csv"], [])


@pytest.mark.requirement("X3")
def test_after_a_crash_before_the_store_learned_the_file_is_reported_not_loaded(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "1,a,1\nx,b,1\n2,c,y\nz,d,1\n")
    ingestion.put("b.csv", ONE)
    first = ingestion.run()
    ingestion.query("UPDATE orders SET email = 'kept'")
    ingestion.index.forget()
    ingestion.restarted()
    second = ingestion.run()
    assert second.causes == first.causes
    assert [f.message for f in second.failures] == [f.message for f in first.failures]
    assert [f.facts for f in second.failures] == [f.facts for f in first.failures]
    assert second.succeeded == first.succeeded
    assert not any(facts.repeated for facts in second.succeeded.values() if facts)
    assert {row[1] for row in ingestion.rows()} == {"kept"}


def test_without_its_rejected_rows_a_file_is_read_again(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "1,a,1\nx,b,1\n")
    ingestion.run()
    shutil.rmtree(tmp_path / "rejects")
    ingestion.index.forget()
    assert ingestion.run().causes == [("a.csv", "CAST", "order_id", 1)]
    assert len(ingestion.rejected()) == 1


@pytest.mark.requirement("I6")
def test_a_forced_file_is_read_again_though_it_did_not_change(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", TWO)
    ingestion.run()
    ingestion.query("DELETE FROM orders WHERE order_id = 2")
    ingestion.index.forced.add("a.csv")
    ingestion.run()
    assert len(ingestion.rows()) == 2


def test_a_table_that_was_dropped_is_filled_again_on_request(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", TWO)
    ingestion.run()
    ingestion.query("DROP TABLE orders")
    ingestion.index.forced.add("a.csv")
    ingestion.run()
    assert len(ingestion.rows()) == 2


def test_a_new_version_that_fails_leaves_the_rows_of_the_earlier_one(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", TWO)
    ingestion.run()
    ingestion.put("a.csv", "other,header\n1,2\n", age=10)
    assert [f.error_class for f in ingestion.run().failures] == ["MISSING_COLUMN"]
    assert len(ingestion.rows()) == 2


@pytest.mark.requirement("I3")
def test_rejected_rows_are_those_of_the_newest_version(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "x,b,1\n")
    ingestion.run()
    ingestion.put("a.csv", HEADER + "y,b,1\n", age=10)
    ingestion.run()
    assert [row.raw for row in ingestion.rejected()] == ["y,b,1"]
    ingestion.put("a.csv", ONE, age=5)
    ingestion.run()
    assert ingestion.rejected() == []
    assert list((tmp_path / "rejects/orders").iterdir()) == []


@pytest.mark.parametrize(
    ("constraint", "rows"),
    [("PRIMARY KEY", "1,secret,1\n1,b,1\n"), ("CHECK (order_id > 0)", "-1,secret,1\n"),
     ("NOT NULL", ",secret,1\n")],
)  # fmt: skip
def test_a_constraint_of_the_owners_table_fails_the_file_and_names_no_value(
    tmp_path, constraint, rows
):
    ingestion = Ingestion(tmp_path)
    ingestion.query(
        f"CREATE TABLE orders (order_id BIGINT {constraint}, email VARCHAR, amount DECIMAL(10,2))"
    )
    ingestion.put("a.csv", HEADER + rows)
    ingestion.put("b.csv", HEADER + "7,b,1\n")
    run = ingestion.run()
    assert [(f.item, f.error_class, f.in_part) for f in run.failures] == [
        ("a.csv", "CONSTRAINT", False)
    ]
    assert "secret" not in run.failures[0].message
    assert constraint.split(" (")[0] in run.failures[0].message
    assert ingestion.rows() == [(7, "b", Decimal("1.00"))]


def test_a_changed_file_replaces_its_rows_under_a_primary_key(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.query(
        "CREATE TABLE orders (order_id BIGINT PRIMARY KEY, email VARCHAR, amount DECIMAL(10,2))"
    )
    ingestion.put("a.csv", ONE)
    ingestion.run()
    ingestion.put("a.csv", TWO, age=10)
    assert not ingestion.run().failures
    assert len(ingestion.rows()) == 2


def test_an_owners_table_gets_its_file_column_and_keeps_its_rows(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.query(
        "CREATE TABLE orders AS SELECT 9::BIGINT AS order_id, 'old' AS email,"
        " 1::DECIMAL(10,2) AS amount, 'more' AS extra"
    )
    ingestion.put("a.csv", ONE)
    assert not ingestion.run().failures
    assert [row[0] for row in ingestion.rows()] == [1, 9]


@pytest.mark.requirement("X4")
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE orders (order_id INTEGER, email VARCHAR, amount DECIMAL(10,2))",
        "CREATE TABLE orders (order_id BIGINT, email VARCHAR)",
        "CREATE VIEW orders AS SELECT 1 AS order_id",
    ],
)
def test_a_table_that_does_not_fit_fails_the_run(tmp_path, statement):
    ingestion = Ingestion(tmp_path)
    ingestion.query(statement)
    ingestion.put("a.csv", ONE)
    with pytest.raises(WarehouseError) as raised:
        ingestion.run()
    assert raised.value.error_class == "TABLE_MISMATCH"
    assert ingestion.query("SELECT count(*) FROM triaged_files") == [(0,)]


@pytest.mark.requirement("X3")
def test_a_warehouse_in_use_fails_the_run_and_the_next_one_catches_up(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", ONE)
    script = """
        import duckdb, sys
        connection = duckdb.connect(sys.argv[1])
        print("open", flush=True)
        sys.stdin.read()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "warehouse.duckdb")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout
    assert holder.stdin
    holder.stdout.readline()
    with pytest.raises(WarehouseError) as raised:
        ingestion.run()
    assert raised.value.error_class == "WAREHOUSE_LOCKED"
    holder.stdin.close()
    holder.wait(timeout=10)
    holder.stdout.close()
    assert list(ingestion.run().succeeded) == ["a.csv"]


@pytest.mark.requirement("X3")
@pytest.mark.parametrize("content", [b"not a database" * 1000, b"\0" * 20_000])
def test_a_damaged_warehouse_fails_the_run(tmp_path, content):
    ingestion = Ingestion(tmp_path)
    (tmp_path / "warehouse.duckdb").write_bytes(content)
    ingestion.put("a.csv", ONE)
    with pytest.raises(WarehouseError) as raised:
        ingestion.run()
    assert raised.value.error_class == "WAREHOUSE_CORRUPT"


@pytest.mark.requirement("X3", "I2")
def test_wherever_a_warehouse_is_damaged_or_cut_off_no_file_is_blamed(tmp_path):
    ingestion = Ingestion(tmp_path, columns={"id": "BIGINT", "v": "VARCHAR"})
    lines = [f"{n},{n * 7919:x}{n:x}" for n in range(60_000)]
    ingestion.put("a.csv", "id,v\n" + "\n".join(lines))
    ingestion.run()
    warehouse = tmp_path / "warehouse.duckdb"
    whole = warehouse.read_bytes()
    ingestion.put("a.csv", "id,v\n1,new\n", age=50)
    blocks = range(12_288 + 8_000, len(whole), 262_144)
    damaged = [whole[:at] + b"\xff" * 50 + whole[at + 50 :] for at in blocks]
    found = set()
    for content in [*damaged, whole[:20_000], whole[: len(whole) // 2]]:
        warehouse.write_bytes(content)
        ingestion.restarted()
        try:
            assert ingestion.run().failures == []
        except WarehouseError as error:
            found.add(error.error_class)
        ingestion.index.forget()
    assert found == {"WAREHOUSE_CORRUPT"}


@pytest.mark.requirement("X3")
def test_a_full_disk_rolls_back_and_the_next_run_loads_everything(tmp_path: Path):
    """In a process of its own, whose files may not grow beyond 3 MB."""
    ingestion = Ingestion(tmp_path)
    rows = "".join(
        f"{n},{n * 7919 % 999_983:x}{n:x}@example.com,{n % 100}\n" for n in range(400_000)
    )
    ingestion.put("a.csv", HEADER + "x,bad,1\n" + rows)
    script = """
        import resource, sys
        from pathlib import Path
        from tests.unit.ingest_support import Ingestion
        ingestion = Ingestion(Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
        try:
            ingestion.run()
        except Exception as error:
            print(type(error).__name__, error.error_class)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["WarehouseError", "WAREHOUSE_FULL"], done.stderr
    assert ingestion.rejected() == []
    assert ingestion.run().causes == [("a.csv", "CAST", "order_id", 1)]
    assert ingestion.query("SELECT count(*) FROM orders") == [(400_000,)]


@pytest.mark.requirement("X3")
@pytest.mark.parametrize("moment", ["insert", "rejects", "commit"])
def test_killed_at_any_moment_each_file_is_loaded_once(tmp_path, moment):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "1,a,1\nx,b,1\n")
    script = """
        import os, signal, sys
        from pathlib import Path
        from daemon.pipelines.ingest import file_load, load, rejects
        from tests.unit.ingest_support import Ingestion, RecordingRun
        def killed_after(owner, name):
            original = getattr(owner, name)
            def then_die(*arguments, **named):
                original(*arguments, **named)
                os.kill(os.getpid(), signal.SIGKILL)
            setattr(owner, name, then_die)
        moments = {"insert": (load.Load, "insert"), "rejects": (rejects.Rejects, "_write"),
                   "commit": (file_load.FileLoader, "load")}
        killed_after(*moments[sys.argv[2]])
        Ingestion(Path(sys.argv[1])).run()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path), moment],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    ingestion.restarted()
    assert ingestion.run().causes == [("a.csv", "CAST", "order_id", 1)]
    assert ingestion.rows() == [(1, "a", Decimal("1.00"))]
    assert len(ingestion.rejected()) == 1


def test_a_file_to_be_tried_again_is_not_loaded_twice_when_the_store_missed_the_first_time(
    tmp_path: Path,
) -> None:
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "1,a,1\nx,b,1\n")
    ingestion.run()
    ingestion.index.latest_run = "run-1"
    ingestion.index.forced.add("a.csv")
    known = dict(ingestion.index._known)
    loaded = "SELECT run_id FROM triaged_files"
    assert ingestion.run().causes == [("a.csv", "CAST", "order_id", 1)]
    assert ingestion.query(loaded) == [("run-2",)]
    ingestion.index._known = known  # a crash before the store heard of it
    assert ingestion.run().causes == [("a.csv", "CAST", "order_id", 1)]
    assert ingestion.query(loaded) == [("run-2",)]
    ingestion.index.latest_run = "run-2"
    ingestion.run()
    assert ingestion.query(loaded) == [("run-4",)]
    assert len(ingestion.rejected()) == 1


def test_a_run_looks_at_nothing_but_the_files_that_are_wanted(tmp_path: Path) -> None:
    ingestion = Ingestion(tmp_path)
    for name in ("a", "b", "c"):
        ingestion.put(f"{name}.csv", HEADER + f"1,{name},1\n")
    run = ingestion.handle()
    run.wanted = frozenset({"b.csv", "gone.csv"})
    ingestion.pipeline(run)
    assert (list(run.succeeded), run.failures, run.skipped) == (["b.csv"], [], [])
    assert ingestion.rows() == [(1, "b", Decimal("1.00"))]


def test_a_missing_folder_fails_the_run(tmp_path: Path):
    ingestion = Ingestion(tmp_path, files="nowhere/*.csv")
    with pytest.raises(FolderError):
        ingestion.run()


def test_a_source_that_is_none_is_refused(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    with pytest.raises(NotFound):
        ingestion.pipeline(RecordingRun("other", ingestion.index))


def test_a_cancelled_run_stops_between_files(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(pipeline, "_CANCEL_PERIOD", 60)
    ingestion = Ingestion(tmp_path)
    for n in range(5):
        ingestion.put(f"{n}.csv", ONE)
    run = ingestion.handle()
    run.cancel_after = 2
    ingestion.pipeline(run)
    assert list(run.succeeded) == ["0.csv", "1.csv"]
    assert list(ingestion.run().succeeded) == ["2.csv", "3.csv", "4.csv"]


def test_a_cancelled_run_stops_within_a_file_which_the_next_one_takes(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(pipeline, "_CANCEL_PERIOD", 0.002)
    ingestion = Ingestion(tmp_path)
    rows = "".join(f"{n},a,{'x' if n % 2 else 1}\n" for n in range(100_000))
    ingestion.put("a.csv", HEADER + rows)
    run = ingestion.handle()
    run.cancel_after = 1
    ingestion.pipeline(run)
    assert (run.succeeded, run.failures, run.skipped) == ({}, [], ["a.csv"])
    assert ingestion.query("SELECT count(*) FROM triaged_files") == [(0,)]
    assert ingestion.run().causes == [("a.csv", "CAST", "amount", 50_000)]


def test_a_run_says_what_it_does_and_how_far_it_is(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", ONE)
    ingestion.put("b.csv", ONE)
    run = ingestion.run()
    assert [state for state, _ in run.steps] == ["fetching", "processing", "processing", "writing"]
    assert [text for _, text in run.steps][1:3] == ["a.csv", "b.csv"]
    assert run.seen == [(0, 2), (1, 2), (2, 2)]
    idle = ingestion.run()
    assert [state for state, _ in idle.steps] == ["fetching"]


def test_the_warehouse_is_free_between_runs(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", ONE)
    ingestion.run()
    other = subprocess.run(
        [sys.executable, "-c", "import duckdb,sys;duckdb.connect(sys.argv[1])",
         str(tmp_path / "warehouse.duckdb")], check=False, capture_output=True,
    )  # fmt: skip
    assert other.returncode == 0, other.stderr


@pytest.mark.requirement("I8")
def test_each_loaded_file_is_one_structured_line_and_failures_are_left_to_the_recorder(
    tmp_path, caplog
):
    caplog.set_level(logging.INFO, "triaged.ingest")
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", HEADER + "1,secret,1\nx,b,1\n")
    ingestion.put("b.csv", "")
    ingestion.run()
    [line] = [vars(record) for record in caplog.records if record.name == "triaged.ingest"]
    assert (line["event"], line["run_id"], line["file_path"]) == ("file_loaded", "run-1", "a.csv")
    assert (line["rows_loaded"], line["rows_rejected"]) == (1, 1)
    assert "secret" not in str(line)


@pytest.mark.requirement("S9")
def test_sources_run_at_the_same_time_into_one_warehouse_and_one_table(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    names = ["orders", "second", "third"]
    sources = {
        name: IngestSource(
            files=f"{name}/*", table="orders" if n < 2 else "other",
            columns=ingestion.config.sources["orders"].columns,
        )
        for n, name in enumerate(names)
    }  # fmt: skip
    ingestion.config = IngestConfig(database="warehouse.duckdb", sources=sources)
    pipeline = ingestion.restarted()
    for name in names:
        (tmp_path / name).mkdir()
        for n in range(15):
            place = tmp_path / name / f"{n}.csv"
            place.write_text(HEADER + f"{n},{name},1\nx,{name},1\n")
            os.utime(place, (1, 1))
    runs = [RecordingRun(name, ingestion.index) for name in names]
    threads = [threading.Thread(target=pipeline, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(run.failures) for run in runs] == [15, 15, 15]
    assert all(f.error_class == "CAST" for run in runs for f in run.failures)
    assert ingestion.query(
        "SELECT email, count(*), count(DISTINCT _file_id) FROM"
        " (FROM orders UNION ALL FROM other) GROUP BY email ORDER BY email"
    ) == [(name, 15, 15) for name in sorted(names)]
    assert ingestion.query("SELECT count(DISTINCT file_id) FROM triaged_files") == [(45,)]


@pytest.mark.requirement("X4")
def test_check_finds_every_mistake_and_says_where(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    assert problems_of(ingestion.config, ingestion.base) == []
    ingestion.config = IngestConfig(
        sources={
            "a": IngestSource(files="in/", table="triaged_files", delimiter='"'),
            "b": IngestSource(
                files="in/*", table="t",
                columns={"x": "BIGNIT", "X": "INT", "_file_id": "INT", "_triaged_q": "INT"},
            ),
            "c": IngestSource(files="in/*", table="T", columns={"y": "DECIMAL(50,2)"}),
        }
    )  # fmt: skip
    places = [problem.where for problem in problems_of(ingestion.config, ingestion.base)]
    prefix = "pipelines.ingest.sources"
    assert places == [
        f"{prefix}.a.files",
        f"{prefix}.a.table",
        f"{prefix}.a.delimiter",
        f"{prefix}.b.columns.x",
        f"{prefix}.b.columns.X",
        f"{prefix}.b.columns._file_id",
        f"{prefix}.b.columns._triaged_q",
        f"{prefix}.c.columns.y",
        f"{prefix}.c.columns",
    ]


def test_leavings_of_a_crash_are_cleaned_up(tmp_path: Path):
    rejects = tmp_path / "rejects/orders"
    rejects.mkdir(parents=True)
    (rejects / "x.parquet.tmp").write_text("half")
    (rejects / "0123-orphan.parquet").write_text("orphan")
    ingestion = Ingestion(tmp_path)
    assert [p.name for p in rejects.iterdir()] == ["0123-orphan.parquet"]
    ingestion.put("a.csv", HEADER + "x,b,1\n")
    ingestion.run()
    assert len(list(rejects.iterdir())) == 1
    assert len(ingestion.rejected()) == 1


def test_a_file_or_folder_that_may_not_be_read_fails_alone_and_recovers(tmp_path: Path):
    """In a process of its own, which gives up root where it has it: root may read every file."""
    script = """
        import os, sys, tempfile
        from pathlib import Path
        from tests.unit.ingest_support import Ingestion
        first = Ingestion(Path(sys.argv[1]))
        first.put("a.csv", "order_id,email,amount\\n1,a,1\\n")
        first.run()  # imports whatever a run imports while that is still allowed
        if os.geteuid() == 0:
            os.seteuid(65534)
        with tempfile.TemporaryDirectory() as folder:
            ingestion = Ingestion(Path(folder), files="inbox/**/*.csv")
            for name in ("a.csv", "b.csv", "closed/c.csv", "blind/d.csv"):
                ingestion.put(name, "order_id,email,amount\\n1,a,1\\n")
            (ingestion.inbox / "a.csv").chmod(0)
            (ingestion.inbox / "closed").chmod(0)
            (ingestion.inbox / "blind").chmod(0o400)
            run = ingestion.run()
            print(*(f"{f.item}:{type(f.error).__name__}" for f in run.failures), *run.succeeded)
            for name in ("closed", "blind"):
                (ingestion.inbox / name).chmod(0o700)
            print(*ingestion.run().succeeded)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "blind/d.csv:NotReadable closed/:NotReadable a.csv:NotReadable b.csv",
        "closed/ blind/d.csv closed/c.csv",
    ], done.stderr


def test_the_owner_may_use_the_warehouse_with_duckdb_alone(tmp_path: Path):
    ingestion = Ingestion(tmp_path)
    ingestion.put("a.csv", TWO)
    ingestion.run()
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT sum(amount) FROM orders").fetchall() == [(Decimal(3),)]
