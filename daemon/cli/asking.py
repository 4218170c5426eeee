"""A request about something by its name: where a daemon has none of it, the names that it has are said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from daemon.cli.client import Client, RequestRefused
from daemon.cli.known import require_known
from daemon.cli.reading import DaemonReader
from daemon.store.filters import FailureFilter
from daemon.store.runs import RunFilter


@contextmanager
def ask_about(client: Client, wanted: RunFilter | FailureFilter) -> Iterator[None]:
    """Around such requests. Raises `NotFound` for a pipeline or source that there never was."""
    try:
        yield
    except RequestRefused as error:
        if error.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
            require_known(DaemonReader(client), wanted)
        raise
