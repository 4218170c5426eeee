"""`triaged check-store`: whether all of the store can be read, and whether anything that it had is missing."""

from __future__ import annotations

from argparse import Namespace

from daemon.cli import terminal
from daemon.cli.main import Exit, complain
from daemon.errors import StoreUnavailable
from daemon.pipelines.kinds import load_settings
from daemon.store.acknowledged import Acknowledged, last_acknowledged, last_stored, require_complete
from daemon.store.database import read_all


def run(args: Namespace) -> int:
    """Reads every row of a store that no daemon has open."""
    store = load_settings(args.config, check_keys=False).store_path
    if not store.exists():
        raise StoreUnavailable(f"there is no store at {store} yet: nothing has run so far")
    for table, rows in read_all(store):
        terminal.write_line(f"{rows:>12,}  {table}".encode())
    stored = last_stored(store) or 0
    missing = last_acknowledged(store) - stored
    if not args.accept_loss:
        require_complete(store)
    elif missing > 0:
        Acknowledged(store, stored).close()
        return complain(Exit.SUCCESS, f"the next start goes on without the last {missing} batches")
    terminal.write_line(f"all can be read; complete up to batch {stored}".encode())
    return Exit.SUCCESS
