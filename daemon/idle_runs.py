"""Which sources have had nothing to do lately, and for how many runs in a row.

Such runs come by the thousand, and say one thing: that the source is looked at. Those who list runs tell the last
one of each source, with how many it stands for, so that they leave the others room.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from daemon import events
from daemon.store.entries import Committed
from daemon.store.runs import IdleStreak, RunFilter, RunPage, Runs, is_idle


class IdleRuns:
    """The streaks of all sources whose latest run was idle. A subscriber of the recorder; safe for any thread."""

    def __init__(self, streaks: Iterable[IdleStreak] = ()) -> None:
        """`streaks` are those of the time before."""
        self._streaks = {(streak.pipeline, streak.source): streak for streak in streaks}

    def follow(self, committed: Committed) -> None:
        """Takes in which runs ended."""
        for entry in committed.entries:
            if isinstance(entry.event, events.RunEnded):
                self._end(entry.event)

    def _end(self, event: events.RunEnded) -> None:
        key = (event.pipeline, event.source)
        if not is_idle(event.status, event.counts.succeeded, event.counts.failed):
            self._streaks.pop(key, None)
            return
        before = self._streaks.get(key)
        self._streaks[key] = IdleStreak(
            *key,
            run_id=event.run_id,
            runs=before.runs + 1 if before else 1,
            since=before.since if before else event.at,
        )

    def by_run(self) -> dict[str, IdleStreak]:
        """The streaks by the run that is the last of each."""
        return {streak.run_id: streak for streak in self._streaks.copy().values()}

    def newest(self, runs: Runs, f: RunFilter, limit: int) -> RunPage:
        """The newest runs that match and did something, and the last of each streak of those that did not.

        Idle runs take what places the others leave, and one at least: it says that all goes on.
        """
        page = runs.page(_busy(f), limit)
        idle = runs.some(f, self.by_run())
        is_newer = bool(idle) and (not page.runs or idle[0].run_id > page.runs[0].run_id)
        room = max(limit - len(page.runs), int(is_newer and limit > 1))
        shown = idle[:room]
        kept = page.runs[: limit - len(shown)]
        more = page.next_cursor if len(kept) == len(page.runs) else kept[-1].run_id
        return RunPage(sorted([*kept, *shown], key=lambda run: run.run_id, reverse=True), more)

    def page(self, runs: Runs, f: RunFilter, limit: int, cursor: str | None) -> RunPage:
        """The same a page at a time: idle runs are on the first."""
        if cursor is None:
            return self.newest(runs, f, limit)
        return runs.page(_busy(f), limit, cursor)


def _busy(f: RunFilter) -> RunFilter:
    return replace(f, idle=False)
