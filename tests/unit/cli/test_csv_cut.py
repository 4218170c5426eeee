"""`triaged failures --csv --limit`: the export is cut between records, never within one."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.csv_output import first_records

CELLS = st.text(alphabet='ab,"\n\r;', max_size=6)


@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    st.integers(1, 10),
    st.integers(1, 7),
)
def test_the_first_records_are_whole_however_the_bytes_arrive(rows, count, size):
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    data = out.getvalue().encode()
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    kept = b"".join(first_records(chunks, count)).decode()
    assert list(csv.reader(io.StringIO(kept, newline=""))) == [list(row) for row in rows[:count]]
