"""When DuckDB is made to give back what it keeps of blocks that it has read."""

from __future__ import annotations

import duckdb
import pytest

from daemon.store.residue import Residue
from daemon.store.statements import Statements


class Connections:
    """Counts how often memory is given back: each time a connection is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> duckdb.DuckDBPyConnection:
        self.asked += 1
        return duckdb.connect()


def test_memory_is_given_back_when_the_last_user_leaves() -> None:
    given_back = Connections()
    residue = Residue(given_back, Statements(), 64 * 1000**2)
    with residue.use():
        with residue.use():
            pass
        assert given_back.asked == 0
    assert given_back.asked == 1


def test_memory_stays_while_the_writer_goes_on_and_not_after_its_last_batch() -> None:
    given_back = Connections()
    residue = Residue(given_back, Statements(), 64 * 1000**2)
    with residue.use(again=True):
        pass
    assert given_back.asked == 0
    with residue.use():
        pass
    assert given_back.asked == 1


def test_a_use_that_fails_gives_memory_back_whatever_was_to_follow() -> None:
    given_back = Connections()
    residue = Residue(given_back, Statements(), 64 * 1000**2)
    with pytest.raises(duckdb.OutOfMemoryException), residue.use(again=True):
        raise duckdb.OutOfMemoryException
    assert given_back.asked == 1
