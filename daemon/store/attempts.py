"""Counts attempts at an item: the runs that failed on it since it last succeeded."""

from __future__ import annotations

from collections.abc import Iterable

StoredAttempt = tuple[int, str, int]
"""An item's key, a run and the number of its attempt; without a name the last of all other runs."""


class Attempts:
    """Attempts at the items of one batch, starting from what is stored of them."""

    def __init__(self, stored: Iterable[StoredAttempt] = ()) -> None:
        self._runs: dict[int, dict[str, int]] = {}
        for item_key, run_id, attempt in stored:
            self._runs.setdefault(item_key, {})[run_id] = attempt

    def fail(self, item_key: int, run_id: str) -> int:
        """The number of the run's attempt, the same for every cause that it reports."""
        runs = self._runs.get(item_key)
        if not runs:
            self._runs[item_key] = {run_id: 1}
            return 1
        if run_id not in runs:
            runs[run_id] = max(runs.values()) + 1
        return runs[run_id]

    def succeed(self, item_key: int, run_id: str) -> None:
        """Counting begins anew, unless the same run failed on the item too."""
        runs = self._runs.get(item_key)
        if runs:
            self._runs[item_key] = {run: n for run, n in runs.items() if run == run_id}
