"""The process counts only that program code as its own which it uses."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import re, sys
from pathlib import Path
import duckdb
from daemon.footprint import ProgramCode, settle

def resident():
    regions = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text())
    return sum(int(re.search(r"Rss:\\s+(\\d+)", r)[1]) for r in regions if "_duckdb" in r)

def use():
    return duckdb.sql("SELECT count(DISTINCT md5(i::VARCHAR)) FROM range(10) AS t(i)").fetchall()

use()
code = ProgramCode.loaded()
if sys.argv[1] == "piecewise":
    code.map_piecewise()
before = resident()
settle(code)
settled = resident()
assert use() == [(10,)]
print(before, settled, resident())
"""


def _kilobytes(way: str) -> tuple[int, int, int]:
    """What is resident of DuckDB before the process settles, after it, and once DuckDB was used again."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, way], capture_output=True, text=True, check=True, timeout=60
    )
    before, settled, used = map(int, done.stdout.split())
    return before, settled, used


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is resident")
def test_code_that_only_the_start_needed_is_let_go_of() -> None:
    before, settled, used = _kilobytes("whole")
    assert settled < before / 2
    assert settled < used < before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is resident")
def test_code_that_is_mapped_piecewise_brings_less_with_it() -> None:
    *_, whole = _kilobytes("whole")
    *_, piecewise = _kilobytes("piecewise")
    assert piecewise < whole * 0.75
