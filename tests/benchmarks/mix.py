"""Questions as users ask them: every filter, one after the other, with values drawn anew each time."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.store.reading import Reader
from tests.benchmarks.generator import NEWEST

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Question = dict[str, Any]
"""Filters by the names that both the store and the API use, and perhaps a cursor."""


class Mix:
    """Draws questions that fit a generated store; the same ones in every run."""

    def __init__(self, reader: Reader) -> None:
        self._random = random.Random(7)
        self._sources = reader.rows("SELECT DISTINCT pipeline, source FROM runs ORDER BY ALL")
        self._categories = _column(
            reader, "SELECT DISTINCT category FROM failure_groups ORDER BY 1"
        )
        self._groups = _column(reader, "SELECT failure_group FROM failure_groups ORDER BY 1")
        newest = "SELECT run_id FROM runs ORDER BY started_at DESC LIMIT 5000"
        self._runs = _column(reader, newest)

    def questions(self, rounds: int) -> list[Question]:
        """So many rounds over all kinds of filters."""
        return [question for _ in range(rounds) for question in self._round()]

    def _round(self) -> list[Question]:
        draw = self._random.choice
        pipeline, source = draw(self._sources)
        return [
            {},
            {"category": draw(self._categories), "source": source},
            {"pipeline": pipeline},
            {"status": draw(["open", "resolved", "ignored"])},
            {"status": "open", "source": source},
            {"group": draw(["network", "api", "validation", "system"])},
            {"retryable": draw([True, False])},
            self._window(),
            {"since": NEWEST - timedelta(days=30, minutes=7), "pipeline": pipeline},
            {"run_id": draw(self._runs)},
            {"failure_group": draw(self._groups)},
            {"cursor": self._cursor()},
            {"cursor": self._cursor(), "category": draw(self._categories), "source": source},
        ]

    def _moment(self) -> datetime:
        return NEWEST - timedelta(seconds=self._random.randrange(86_400, 88 * 86_400))

    def _window(self) -> Question:
        since = self._moment()
        return {"since": since, "until": since + timedelta(hours=self._random.randrange(1, 72))}

    def _cursor(self) -> str:
        return f"{(self._moment() - _EPOCH) // timedelta(microseconds=1)}.1"


def _column(reader: Reader, sql: str) -> list[Any]:
    return [value for (value,) in reader.rows(sql)]
