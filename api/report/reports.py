"""What reports are made of."""

from __future__ import annotations

from typing import NamedTuple

from daemon.clock import Clock
from daemon.live import Live
from daemon.pipelines.catalog import Catalog
from daemon.standing import Standings
from daemon.store.database import Database
from daemon.store.runs import Runs


class Reports(NamedTuple):
    """The store, and what is configured and goes on beside it."""

    database: Database
    runs: Runs
    catalog: Catalog
    live: Live
    standings: Standings
    clock: Clock
