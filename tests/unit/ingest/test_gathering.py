"""Many small files load in one transaction, as if each loaded by itself."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from daemon.pipelines.ingest.file_load import FileLoader
from tests.unit.ingest_support import Ingestion

HEADER = "order_id,email\n"
COLUMNS = {"order_id": "BIGINT", "email": "VARCHAR"}


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The paths of the files that were loaded together, by transaction."""
    seen: list[list[str]] = []
    load = FileLoader.load_together

    def then_note(loader, files, run_id):
        outcomes = load(loader, files, run_id)
        seen.append([outcome.facts.path for outcome in outcomes])
        return outcomes

    monkeypatch.setattr(FileLoader, "load_together", then_note)
    return seen


def filled(base: Path, count: int = 6) -> Ingestion:
    """Files with a row each; each has the number of its file for an id."""
    ingestion = Ingestion(base, columns=COLUMNS)
    for number in range(count):
        ingestion.put(f"{number}.csv", f"{HEADER}{number},a\n")
    return ingestion


def ids(ingestion: Ingestion) -> list[int]:
    return [row[0] for row in ingestion.rows()]


@pytest.mark.requirement("I1")
def test_small_files_load_together_each_with_its_entry(tmp_path: Path, together: list[list[str]]):
    ingestion = filled(tmp_path)
    run = ingestion.run()
    assert together == [["1.csv", "2.csv", "3.csv", "4.csv", "5.csv"]]
    assert sorted(run.succeeded) == [f"{n}.csv" for n in range(6)]
    assert [facts.rows_loaded for facts in run.succeeded.values() if facts] == [1] * 6
    assert ingestion.query(
        "SELECT path, order_id, rows_loaded, run_id FROM triaged_files JOIN orders"
        " ON _file_id = file_id ORDER BY path"
    ) == [(f"{n}.csv", n, 1, "run-1") for n in range(6)]
    assert ingestion.run().skipped == [6]


@pytest.mark.requirement("I1")
def test_changed_files_replace_their_rows_together(tmp_path: Path, together: list[list[str]]):
    ingestion = filled(tmp_path)
    ingestion.run()
    for number in range(1, 5):
        ingestion.put(f"{number}.csv", f"{HEADER}{number}0,b\n{number}1,b\n", age=20)
    ingestion.run()
    assert together[1:] == [["2.csv", "3.csv", "4.csv"]]
    assert ids(ingestion) == [0, 5, 10, 11, 20, 21, 30, 31, 40, 41]


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(
    ("content", "causes", "loaded"),
    [
        (HEADER + "30,a\nx,b\n", [("3.csv", "CAST", "order_id", 1)], [30]),
        (HEADER + "30,a\n1.5,b\n", [("3.csv", "CAST", "order_id", 1)], [30]),
        (HEADER + "30,a\n31,b,c\n", [("3.csv", "TOO MANY COLUMNS", None, 1)], [30]),
        ("order_id\n30\n", [("3.csv", "MISSING_COLUMN", None, None)], []),
        ("", [("3.csv", "EMPTY_FILE", None, None)], []),
        (HEADER, [], []),
    ],
)
def test_a_bad_file_among_them_fails_alone(tmp_path, together, content, causes, loaded):
    ingestion = filled(tmp_path)
    ingestion.put("3.csv", content)
    run = ingestion.run()
    assert run.causes == causes
    assert ids(ingestion) == [0, 1, 2, 4, 5, *loaded]
    if causes:
        assert together == [["1.csv", "2.csv", "4.csv", "5.csv"]]


@pytest.mark.requirement("I2")
def test_a_file_that_breaks_a_constraint_keeps_no_other_out(tmp_path: Path):
    ingestion = filled(tmp_path)
    ingestion.query("CREATE TABLE orders (order_id BIGINT PRIMARY KEY, email VARCHAR)")
    ingestion.put("3.csv", HEADER + "2,again\n")
    assert ingestion.run().causes == [("3.csv", "CONSTRAINT", None, None)]
    assert ids(ingestion) == [0, 1, 2, 4, 5]


@pytest.mark.requirement("X3")
@pytest.mark.parametrize("moment", ["insert", "record", "load_together"])
def test_killed_while_they_load_together_each_is_loaded_once(tmp_path: Path, moment: str):
    ingestion = filled(tmp_path)
    script = """
        import os, signal, sys
        from pathlib import Path
        from daemon.pipelines.ingest import file_load, gathering, ledger
        from tests.unit.ingest.test_gathering import filled
        owners = {"insert": gathering.SharedLoad, "record": ledger.LoadedFiles,
                  "load_together": file_load.FileLoader}
        owner, name = owners[sys.argv[2]], sys.argv[2]
        original = getattr(owner, name)
        def then_die(self, *arguments):
            original(self, *arguments)
            if name != "record" or len(arguments[1]) > 1:
                os.kill(os.getpid(), signal.SIGKILL)
        setattr(owner, name, then_die)
        filled(Path(sys.argv[1])).run()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path), moment],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert len(ids(ingestion)) == (6 if moment == "load_together" else 1)
    ingestion.restarted()
    assert sorted(ingestion.run().succeeded) == [f"{n}.csv" for n in range(6)]
    assert ids(ingestion) == [0, 1, 2, 3, 4, 5]
