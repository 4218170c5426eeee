"""What the store keeps beyond runs and failures: a ledger for each kind of thing.

To the rest a ledger is one record: what it takes, what a batch comes to in it, what expires.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from importlib import import_module
from importlib.resources.abc import Traversable
from types import NoneType
from typing import Any, NamedTuple, get_args

import duckdb
import msgspec

from daemon.clock import Clock
from daemon.errors import UnknownEvent
from daemon.events import AnyEvent, Facts, ItemSucceeded, LedgerChanged, RunNoted
from daemon.store.columns.failures import FailureRow
from daemon.store.database import Database
from daemon.store.entries import NewFailure
from daemon.store.tables import Tables
from daemon.taxonomy import FailureStatus

Outcome = ItemSucceeded | NewFailure
"""What became of an item."""
FailureRows = Callable[[NewFailure], FailureRow]
"""The row of a failure of the batch."""


class ItemDecision(NamedTuple):
    """The status that the failures of an item take, because a person decided so."""

    pipeline: str
    source: str
    item: str
    status: FailureStatus


class LedgerBatch:
    """What one batch comes to in one ledger: first it takes in everything, then it is written.

    A ledger takes of items, of runs, of changes, or of all of them.
    """

    def add(self, facts: Facts, outcome: Outcome) -> None:
        """Takes in what became of an item. Called in the order in which it happened."""
        raise UnknownEvent(f"{type(facts).__name__} of {outcome}")

    def note(self, facts: Facts, event: RunNoted) -> None:
        """Takes in what a run said that concerns no item, in the order of `add`."""
        raise UnknownEvent(f"{type(facts).__name__} of {event}")

    def change(self, facts: Facts, event: LedgerChanged) -> Iterable[ItemDecision]:
        """Takes in what a person decided, which is the only event of its batch."""
        raise UnknownEvent(f"{type(facts).__name__} of {event}")

    def write(self, tables: Tables, failure_rows: FailureRows) -> None:
        """Writes it within the transaction of the batch, whose failures are written already."""
        raise NotImplementedError


def keep_all(connection: duckdb.DuckDBPyConnection, start: datetime) -> None:
    """Forgets nothing, however old it is."""


_NOTHING = "SELECT '' AS pipeline, '' AS source, '' AS item WHERE false"


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger, as the rest of the store knows it."""

    name: str
    batch: Callable[[], LedgerBatch]
    of_items: tuple[type[Facts], ...] = ()
    """What it takes of an item that succeeded or failed."""
    of_runs: tuple[type[Facts], ...] = ()
    """What it takes of a run, that concerns no item."""
    of_changes: tuple[type[Facts], ...] = ()
    """What it takes of a person's decision."""
    forget_before: Callable[[duckdb.DuckDBPyConnection, datetime], None] = keep_all
    """Deletes what is older than the start of a day, within a transaction. The time is UTC, without offset."""
    reader: Callable[[Database, Clock], Any] | None = None
    """Makes what pipelines read it by, which they get as the port of its name."""
    waiting: str | None = None
    """A query of the items that wait for another attempt in it: pipeline, source and item."""
    migrations: Traversable | None = None
    """The folder of its migrations, unless the store's own make its tables."""


def _takes(ledger: Ledger) -> Iterable[type[Facts]]:
    return (*ledger.of_items, *ledger.of_runs, *ledger.of_changes)


class Ledgers:
    """All ledgers of a store: what is for which of them."""

    def __init__(self, ledgers: Iterable[Ledger]) -> None:
        self._all = tuple(ledgers)
        self._of: dict[type[Facts], Ledger] = {}
        for ledger in self._all:
            for kind in _takes(ledger):
                assert self._of.setdefault(kind, ledger) is ledger, f"two ledgers take {kind}"
        self._carried = {kind: self._carried_by(kind) for kind in get_args(AnyEvent)}

    def _carried_by(self, event: type[AnyEvent]) -> frozenset[type] | None:
        """What an event of a kind may carry as facts; None when it has none."""
        if "facts" not in event.__struct_fields__:
            return None
        if event is LedgerChanged:
            return frozenset(kind for ledger in self._all for kind in ledger.of_changes)
        if event is RunNoted:
            return frozenset(kind for ledger in self._all for kind in ledger.of_runs)
        return frozenset(kind for ledger in self._all for kind in ledger.of_items) | {NoneType}

    @classmethod
    def named(cls, names: Iterable[str]) -> Ledgers:
        """The ledgers of these names, each as ``package.module:NAME``."""
        found = (name.partition(":") for name in names)
        return cls(getattr(import_module(module), name) for module, _, name in found)

    @property
    def facts(self) -> tuple[type[Facts], ...]:
        """All kinds of facts that an event may carry."""
        return tuple(self._of)

    @property
    def migrations(self) -> dict[str, Traversable]:
        """Folders of migrations beside those of the store, by ledger."""
        return {each.name: each.migrations for each in self._all if each.migrations is not None}

    @property
    def waiting(self) -> str:
        """A query of the items that wait for another attempt in any ledger: pipeline, source and item."""
        return " UNION ALL ".join([_NOTHING, *(each.waiting for each in self._all if each.waiting)])

    def readers(self, database: Database, clock: Clock) -> dict[str, Any]:
        """What reads them, by ledger."""
        return {each.name: each.reader(database, clock) for each in self._all if each.reader}

    def require(self, event: AnyEvent) -> None:
        """Raises `UnknownEvent` for an event that would be stored nowhere."""
        kind = type(event)
        if kind not in self._carried:
            raise UnknownEvent(f"the store has no place for {kind.__name__}")
        carried = self._carried[kind]
        if carried is not None and (facts := type(event.facts)) not in carried:  # type: ignore[union-attr]
            raise UnknownEvent(f"no ledger takes {facts.__name__} of {kind.__name__}")

    def begin(self) -> LedgerBatches:
        """What a batch comes to in all ledgers: nothing yet."""
        batches = [(ledger, ledger.batch()) for ledger in self._all]
        return LedgerBatches({k: b for one, b in batches for k in _takes(one)})

    def forget_before(self, connection: duckdb.DuckDBPyConnection, start: datetime) -> None:
        """Lets every ledger forget what is older."""
        for ledger in self._all:
            ledger.forget_before(connection, start)


class LedgerBatches:
    """What one batch comes to in all ledgers, each of which takes its own kinds of facts."""

    def __init__(self, of: dict[type[Facts], LedgerBatch]) -> None:
        self._of = of

    def add(self, facts: Facts, outcome: Outcome) -> None:
        """See `LedgerBatch.add`."""
        self._of[type(facts)].add(facts, outcome)

    def note(self, event: RunNoted) -> None:
        """See `LedgerBatch.note`."""
        self._of[type(event.facts)].note(event.facts, event)

    def change(self, event: LedgerChanged) -> Iterable[ItemDecision]:
        """See `LedgerBatch.change`."""
        return self._of[type(event.facts)].change(event.facts, event)

    def write(self, tables: Tables, failure_rows: FailureRows) -> None:
        """See `LedgerBatch.write`."""
        for batch in dict.fromkeys(self._of.values()):
            batch.write(tables, failure_rows)
