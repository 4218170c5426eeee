"""Whether files come as they are expected."""

from __future__ import annotations

from datetime import datetime

from daemon.pipelines.ingest.config import IngestSource
from daemon.pipelines.ingest.failures import FolderError


def check_arrivals(source: IngestSource, newest: datetime | None, now: datetime) -> None:
    """Raises `FolderError` when no new file came for longer than the ingestion expects.

    `newest` is when the last one came, or files were first looked for; None when that is now.
    """
    expected = source.expect_every
    if expected is None or newest is None or (now - newest).total_seconds() <= expected:
        return
    raise FolderError(
        f"No new file matches {source.files} since {newest:%Y-%m-%d %H:%M} UTC;"
        f" one is expected every {_in_words(expected)}.",
        "NO_NEW_FILE",
    )


def _in_words(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length or seconds == length:
            return f"{seconds / length:g} {unit}" if seconds != length else unit.removesuffix("s")
    return f"{seconds:g} seconds"
