"""The CSV holds what the pages hold; any text survives it; no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.errors import StoreError
from daemon.formulas import restore
from daemon.store.columns.failures import EXPORTED, FailureRecord
from daemon.store.database import Database
from daemon.store.export import failures_csv
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter
from daemon.taxonomy import CATEGORIES, Category
from tests.unit.spine_support import MEMORY, START, assessed, failed, insert
from tests.unit.store.test_failures import any_filter, history

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(tmp_path_factory.mktemp("export") / "store.duckdb", memory_limit=MEMORY)
    insert(opened, history())
    yield opened
    opened.close()


def exported(database: Database, f: FailureFilter) -> list[dict[str, str]]:
    """The rows of the CSV, as Python reads them."""
    text = b"".join(failures_csv(database, f)).decode()
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows = list(reader)
    assert reader.fieldnames == list(EXPORTED)
    return rows


def defused(text: str | None) -> str:
    """A cell as it should be: an apostrophe keeps a spreadsheet from running it."""
    shown = text or ""
    return f"'{shown}" if shown.lstrip("'").startswith(FORMULA_STARTS) else shown


def moment(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def as_row(failure: FailureRecord) -> dict[str, str]:
    """The cells of a failure, apart from its times and seconds."""
    return {
        "id": str(failure.id),
        "pipeline": failure.pipeline,
        "source": failure.source,
        "item": defused(failure.item),
        "run_id": failure.run_id,
        "failed_step": failure.step,
        "error_category": failure.category,
        "error_group": CATEGORIES[Category(failure.category)].group,
        "is_auth_error": str(failure.category == "authentication").lower(),
        "is_retryable": str(failure.retryable).lower(),
        "rule": failure.rule,
        "error_message": defused(failure.error_message),
        "user_message": defused(failure.user_message),
        "suggested_action": defused(failure.suggested_action),
        "attempt": str(failure.attempt),
        "status": failure.status,
        "failure_group": failure.failure_group,
        "exception_type": defused(failure.exception_type),
        "row_count": "" if failure.row_count is None else str(failure.row_count),
        "column_name": defused(failure.column_name),
    }


@pytest.mark.requirement("M6")
@settings(max_examples=40, deadline=None)
@given(f=any_filter)
def test_the_csv_of_a_filter_holds_what_its_pages_hold(
    database: Database, f: FailureFilter
) -> None:
    failures = Failures(database.read()).page(f, 10_000).failures
    rows = exported(database, f)
    times = [(moment(row.pop("error_time")), float(row.pop("duration_seconds"))) for row in rows]
    assert times == [(failure.error_time, failure.duration_seconds) for failure in failures]
    retries = [row.pop("retry_at") for row in rows]
    assert [moment(r) if r else None for r in retries] == [f.retry_at for f in failures]
    expected = [as_row(failure) for failure in failures]
    assert [
        {name: row[name] for name in cells} for row, cells in zip(rows, expected, strict=True)
    ] == expected


texts = st.text(
    st.one_of(
        st.sampled_from("=+-@\uff1d\uff0b\uff0d\uff20\t\r\n\"',;'\\\x0b\u2028\ufeff"),
        st.characters(exclude_categories=("Cs",), exclude_characters="\0"),
    ),
    max_size=20,
)


@settings(max_examples=20, deadline=None)
@given(found=st.lists(st.tuples(st.none() | texts, texts, st.none() | texts), max_size=8))
def test_any_text_survives_the_csv_and_is_no_formula(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[tuple[str | None, str, str | None]],
) -> None:
    database = Database(tmp_path_factory.mktemp("texts") / "store.duckdb", memory_limit=MEMORY)
    insert(
        database,
        [
            failed("run", item, START, assessment=assessed(message), column=column)
            for item, message, column in found
        ],
    )
    rows = exported(database, FailureFilter())
    cells = [(row["item"], row["error_message"], row["column_name"]) for row in reversed(rows)]
    assert cells == [(defused(i), defused(m), defused(c)) for i, m, c in found]
    assert not any(cell.startswith(FORMULA_STARTS) for row in rows for cell in row.values())
    restored = [tuple(map(restore, row)) for row in cells]
    assert restored == [(i or "", m, c or "") for i, m, c in found]
    database.close()


def test_no_failures_are_a_header(database: Database) -> None:
    assert exported(database, FailureFilter(pipeline="gone")) == []


def test_many_failures_come_in_many_parts_and_all_of_them_once(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    times = [START + timedelta(seconds=n) for n in range(120_000)]
    insert(database, [failed("run", f"{n}", time) for n, time in enumerate(times)])
    parts = list(failures_csv(database, FailureFilter()))
    assert len(parts) > 1
    rows = list(csv.DictReader(io.StringIO(b"".join(parts).decode(), newline="")))
    assert sorted(int(row["item"]) for row in rows) == list(range(120_000))
    database.close()


def test_stopping_early_ends_the_query_and_leaves_the_store_usable(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    insert(database, [failed("run", f"{n}" * 50) for n in range(20_000)])
    for _ in range(5):
        parts = failures_csv(database, FailureFilter())
        assert next(parts).startswith(b"id,")
        parts.close()  # type: ignore[attr-defined]
    assert Failures(database.read()).total(FailureFilter()) == 20_000
    insert(database, [failed("run", "after")], first_id=30_000)
    database.close()


def test_a_store_that_cannot_be_read_fails_the_export_rather_than_cut_it_short(
    tmp_path: Path,
) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    database.close()
    with pytest.raises(StoreError):
        list(failures_csv(database, FailureFilter()))
