"""What a person can do with failure groups: resolve, ignore, reopen, merge, unmerge, split.

Decisions become events, which the recorder stores.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from daemon.clock import Clock
from daemon.errors import Conflict, NotFound
from daemon.events import GroupDecided, GroupsMerged, GroupSplit, GroupUnmerged
from daemon.operations.decision import store_decision
from daemon.recorder import Recorder
from daemon.store.database import Database
from daemon.store.groups import Groups
from daemon.taxonomy import GroupDecision
from daemon.triage.grouping import fingerprint


class GroupOperations:
    """Commands of people about failure groups, one at a time.

    `by` is the name of the API key. Each but `unmerge` returns the id of the group to look at
    afterwards. All raise `NotFound`, `Conflict` or `StoreUnavailable`.
    """

    def __init__(
        self, database: Database, recorder: Recorder, mask: Callable[[str], str], clock: Clock
    ) -> None:
        self._groups = Groups(database.read())
        self._recorder = recorder
        self._mask = mask
        self._clock = clock
        self._one_at_a_time = threading.Lock()

    def decide(
        self,
        group: str,
        decision: GroupDecision,
        by: str | None,
        *,
        as_of: datetime | None = None,
        until: datetime | None = None,
        note: str = "",
    ) -> str:
        """Resolves, ignores or reopens a group as of a moment, which is now if not given."""
        now = self._clock.now()
        with self._one_at_a_time:
            found = self._groups.get(group, now)
            shown = found.record.failure_group
            moment = as_of or now
            if moment > now:
                raise Conflict("as_of: expected a time that is not in the future")
            if until is not None and until <= now:
                raise Conflict("until: expected a time in the future")
            if found.decision is not None and moment < found.decision.as_of:
                raise Conflict(
                    f"the group was {found.decision.decision} as of {found.decision.as_of.isoformat()}, "
                    "which is later: the latest moment counts"
                )
            event = GroupDecided(
                at=now,
                by=by,
                failure_group=shown,
                decision=decision,
                as_of=moment,
                until=until,
                note=self._mask(note) if note else None,
            )
            store_decision(self._recorder, event)
        return shown

    def merge(self, groups: Sequence[str], into: str, by: str | None) -> str:
        """Shows groups as part of another, with what happens in them later too."""
        now = self._clock.now()
        with self._one_at_a_time:
            target = self._groups.get(into, now).record.failure_group
            shown = dict.fromkeys(
                self._groups.get(group, now).record.failure_group for group in groups
            )
            others = tuple(group for group in shown if group != target)
            if not others:
                raise Conflict("these are one group already")
            store_decision(
                self._recorder, GroupsMerged(at=now, by=by, failure_groups=others, into=target)
            )
        return target

    def unmerge(self, group: str, by: str | None) -> list[str]:
        """Takes a merged group out again, or out of a group all that were merged into it.

        Returns the groups that stand by themselves again.
        """
        now = self._clock.now()
        with self._one_at_a_time:
            found = self._groups.get(group, now)
            freed = found.merged if group == found.record.failure_group else [group]
            if not freed:
                raise Conflict("nothing was merged into the group, nor it into another")
            store_decision(self._recorder, GroupUnmerged(at=now, by=by, failure_group=group))
        return freed

    def split_by_text(self, group: str, text: str, by: str | None) -> str:
        """Makes a group of the failures whose message holds `text`, and of later ones."""
        text = self._mask(text)
        with self._one_at_a_time:
            shown, members = self._members(group)
            holding, all_failures = self._groups.holding(members, text)
            if not holding:
                raise Conflict("no message in the group holds this text")
            if holding == all_failures:
                raise Conflict("every message in the group holds this text: none would be left")
            return self._split(shown, members, text, by)

    def split_by_failures(self, group: str, failures: Collection[int], by: str | None) -> str:
        """Makes a group of the failures whose normalised message is that of one of `failures`."""
        with self._one_at_a_time:
            shown, members = self._members(group)
            own = self._groups.own_groups(members, failures)
            if len(own) < len(set(failures)):
                missing = sorted(set(failures) - own.keys())
                raise NotFound(f"of the group there is no failure {missing[0]}")
            chosen = set(own.values())
            if self._groups.holding(members, "")[0] == self._groups.holding(chosen, "")[0]:
                raise Conflict(
                    "all failures of the group have the normalised messages of these: none would be "
                    "left. Split by a text instead"
                )
            return self._split(shown, sorted(chosen), "", by)

    def _members(self, group: str) -> tuple[str, tuple[str, ...]]:
        """The group as it is shown, and the groups that it consists of."""
        shown = self._groups.get(group, self._clock.now()).record.failure_group
        return shown, self._groups.members(shown)

    def _split(self, shown: str, members: Sequence[str], text: str, by: str | None) -> str:
        now = self._clock.now()
        new = fingerprint("split", *members, text, now.isoformat())
        store_decision(
            self._recorder,
            GroupSplit(
                at=now,
                by=by,
                failure_group=shown,
                members=tuple(members),
                text=text,
                split_group=new,
            ),
        )
        return new
