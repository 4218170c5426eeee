"""`triaged backup`: one file of the whole store, also while the daemon runs."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from daemon.cli import terminal
from daemon.cli.addresses import place_of, url_of
from daemon.cli.client import make_client
from daemon.cli.main import Exit
from daemon.config import Settings
from daemon.durable import sync_folder
from daemon.errors import StoreError, StoreLocked, StoreUnavailable
from daemon.pipelines.kinds import load_settings
from daemon.store.acknowledged import last_stored, require_complete
from daemon.store.backup import COPY_SECONDS, copied, copy_store
from daemon.store.database import hold


def run(args: Namespace) -> int:
    """Writes a backup to a file that there is not yet."""
    target: Path = args.target
    if target.exists():
        raise StoreUnavailable(f"{target} is there already; expected the name of a new file")
    unfinished = target.with_name(f".{target.name}.part")
    try:
        _write(unfinished, _chunks(args))
        batches = last_stored(unfinished)
        if batches is None:
            raise StoreError(f"what came for {target} is not a whole store; nothing was kept")
        unfinished.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise StoreUnavailable(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    size = target.stat().st_size
    terminal.write_line(f"{target}: {size:,} bytes, complete up to batch {batches}".encode())
    return Exit.SUCCESS


def _chunks(args: Namespace) -> Iterator[bytes]:
    """From the daemon, or from the files of one that does not run."""
    place = place_of(args)
    if isinstance(place, str):
        return _asked(args, place)
    settings = load_settings(place, check_keys=False)
    try:
        return _copied(settings)
    except StoreLocked:
        return _asked(args, url_of(settings.config.server.listen))


def _asked(args: Namespace, url: str) -> Iterator[bytes]:
    return make_client(args, url, COPY_SECONDS).stream("/api/export/store.duckdb")


def _copied(settings: Settings) -> Iterator[bytes]:
    """Raises `StoreLocked` at once."""
    store = settings.store_path
    if not store.exists():
        raise StoreUnavailable(f"there is no store at {store} yet: nothing has run so far")
    require_complete(store)
    with ExitStack() as stack:
        stack.enter_context(hold(store))
        holding = stack.pop_all()

    def chunks() -> Iterator[bytes]:
        with holding:
            yield from copied(store, partial(copy_store, store))

    return chunks()


def _write(path: Path, chunks: Iterator[bytes]) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(descriptor)
