"""Which group a new failure belongs to, after what people split off by hand."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from daemon.events import GroupSplit
from daemon.store.database import Database
from daemon.store.entries import Entry
from daemon.store.sql import SQL
from daemon.triage.assessment import Assessment


class Splits:
    """The rules of all splits. For the writer's thread, which knows in which order things happened."""

    def __init__(self, rules: Iterable[tuple[str, str, str]] = ()) -> None:
        """`rules` are a group, a text and the group of failures with that text, oldest first."""
        self._rules: dict[str, list[tuple[str, str]]] = {}
        for failure_group, text, split_group in rules:
            self._rules.setdefault(failure_group, []).append((text, split_group))

    @classmethod
    def read(cls, database: Database) -> Splits:
        """What is stored."""
        return cls(database.read().rows(SQL["splits"]))

    def add(self, event: GroupSplit) -> None:
        """A split that was stored just now."""
        for member in event.members:
            self._rules.setdefault(member, []).append((event.text, event.split_group))

    def place(self, entries: list[Entry]) -> list[Entry]:
        """The same entries, each failure in the group that it belongs to."""
        return [self._placed(entry) for entry in entries] if self._rules else entries

    def _placed(self, entry: Entry) -> Entry:
        assessment = entry.assessment
        if assessment is None or assessment.failure_group not in self._rules:
            return entry
        group = self._group_of(assessment)
        return msgspec.structs.replace(
            entry, assessment=msgspec.structs.replace(assessment, failure_group=group)
        )

    def _group_of(self, assessment: Assessment) -> str:
        """Follows the splits in their order. A split only leads to a group newer than itself."""
        group = assessment.failure_group
        while True:
            rules = self._rules.get(group, ())
            further = next((to for text, to in rules if text in assessment.message), None)
            if further is None:
                return group
            group = further
