"""The audit trail in the store: pages, filters, CSV, retention."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.events import Audited
from daemon.store import upkeep
from daemon.store.audit import Audit, AuditFilter, KeyChange, audit_csv
from daemon.store.columns.audit import EXPORTED
from daemon.store.database import Database
from daemon.store.entries import Entry
from daemon.taxonomy import AuditOutcome
from tests.unit.spine_support import LEDGERS, MEMORY, START, insert


def audited(number: int, **fields: object) -> Audited:
    known = {
        "at": START + timedelta(minutes=number // 3),
        "by": ("ann", "local")[number % 2],
        "action": ("pipelines.pause", "groups.resolve", "keys.created")[number % 3],
        "subject": f"s{number}",
        "outcome": AuditOutcome.DONE,
    }
    return Audited(**(known | fields))  # type: ignore[arg-type]


NASTY = audited(
    30,
    subject="=1+1",
    outcome=AuditOutcome.REFUSED,
    reason="conflict",
    details='{"note":"Größe \\"x\\", \'y\'\\n"}',
)
ENTRIES = [*(audited(n) for n in range(30)), NASTY]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(tmp_path_factory.mktemp("audit") / "store.duckdb", memory_limit=MEMORY)
    insert(opened, map(Entry, ENTRIES))
    yield opened
    opened.close()


@pytest.mark.requirement("U6")
def test_pages_hold_every_entry_once_newest_first(database: Database) -> None:
    found, cursor = [], None
    while True:
        page = Audit(database.read()).page(AuditFilter(), 4, cursor)
        found += page.entries
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [entry.subject for entry in found] == [e.subject for e in reversed(ENTRIES)]
    assert found[0].details == NASTY.details
    assert found[0].audited_at == NASTY.at


@pytest.mark.requirement("U6")
@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (AuditFilter(by="ann"), lambda e: e.by == "ann"),
        (AuditFilter(action="groups.resolve"), lambda e: e.action == "groups.resolve"),
        (AuditFilter(subject="s7"), lambda e: e.subject == "s7"),
        (AuditFilter(since=START + timedelta(minutes=4)), lambda e: e.at.minute >= 4),
        (AuditFilter(until=START + timedelta(minutes=4)), lambda e: e.at.minute < 4),
        (AuditFilter(q="GRÖße"), lambda e: e is NASTY),
        (AuditFilter(q="PAUSE", by="local"), lambda e: "pause" in e.action and e.by == "local"),
    ],
)
def test_filters_hold_for_pages_totals_and_csv(database, wanted, holds) -> None:  # type: ignore[no-untyped-def]
    expected = {entry.subject for entry in ENTRIES if holds(entry)}
    page = Audit(database.read()).page(wanted, 100)
    assert {entry.subject for entry in page.entries} == expected
    assert Audit(database.read()).total(wanted) == len(expected) > 0
    assert len(rows(database, wanted)) == len(expected)


def rows(database: Database, wanted: AuditFilter) -> list[dict[str, str]]:
    text = b"".join(audit_csv(database, wanted)).decode()
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found = list(reader)
    assert reader.fieldnames == list(EXPORTED)
    return found


@pytest.mark.requirement("U6")
def test_the_csv_holds_everything_and_no_formula(database: Database) -> None:
    found = rows(database, AuditFilter())
    assert len(found) == len(ENTRIES)
    assert found[0]["subject"] == "'=1+1"
    assert found[0]["details"] == NASTY.details
    assert (found[0]["outcome"], found[0]["reason"], found[0]["by"]) == (
        "refused",
        "conflict",
        "ann",
    )
    assert found[1]["reason"] == ""


def test_changes_of_keys_are_known_again(database: Database) -> None:
    expected = {KeyChange(e.at, e.action, str(e.subject)) for e in ENTRIES if "keys" in e.action}
    assert Audit(database.read()).key_changes() == expected


def test_old_entries_are_forgotten_like_the_rest(tmp_path: Path) -> None:
    opened = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    insert(opened, map(Entry, [audited(0), audited(1, at=START + timedelta(days=20))]))
    upkeep.expire(opened.writer, LEDGERS, START + timedelta(days=21), timedelta(days=10))
    assert [entry.subject for entry in Audit(opened.read()).page(AuditFilter(), 9).entries] == [
        "s1"
    ]
    opened.close()
