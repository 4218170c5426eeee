"""What is opened before anything is started: the store, the keys, the accounts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.access.keyring import Key, Keyring
from daemon.access.keys import digest
from daemon.access.keys_file import KeysFile
from daemon.clock import Clock
from daemon.config import Settings
from daemon.store import upkeep
from daemon.store.acknowledged import require_complete
from daemon.store.database import Database, told_apart
from daemon.store.ledger import Ledgers


def open_keyring(settings: Settings, clock: Clock) -> Keyring:
    """The keys of the configuration and of the keys file. Raises `KeysFileDamaged`."""
    configured = [Key(key.name, key.role, digest(key.value)) for key in settings.keys]
    return Keyring(configured, KeysFile(settings.keys_path), clock)


def open_database(settings: Settings, ledgers: Ledgers) -> Database:
    """The store, made or brought up to date. Raises `StoreError`, before anything is changed."""
    require_complete(settings.store_path)
    limit = settings.config.store.memory_limit
    return Database(settings.store_path, memory_limit=limit, migrations=ledgers.migrations)


@contextmanager
def closed_on_failure(database: Database, clock: Clock) -> Iterator[None]:
    """Marks what the last process left unfinished, and closes the store again if what follows fails."""
    try:
        with told_apart(database.path):
            with database.writing() as connection:
                upkeep.interrupt_unfinished(connection, clock.now())
            yield
    except BaseException:
        database.close()
        raise
