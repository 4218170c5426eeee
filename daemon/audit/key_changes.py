"""Tells the audit trail which keys were created and revoked, also while no daemon ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from daemon.access.keyring import Keyring
from daemon.access.keys_file import KeyRecord
from daemon.access.roles import LOCAL
from daemon.clock import Clock
from daemon.errors import RecorderClosed
from daemon.events import Audited
from daemon.parts import Part
from daemon.recorder import Recorder
from daemon.store.audit import Audit, KeyChange
from daemon.taxonomy import AuditOutcome


class KeyChanges(Part):
    """Follows a keyring. What the trail holds already, or would forget at once, is left out."""

    def __init__(
        self, keyring: Keyring, recorder: Recorder, audit: Audit, clock: Clock, kept: timedelta
    ) -> None:
        """`kept` is how long the trail goes back."""
        super().__init__("changes of keys")
        self._keyring = keyring
        self._recorder = recorder
        self._clock = clock
        self._kept = kept
        self._known = audit.key_changes()

    def _start(self) -> None:
        self._keyring.follow(self.follow)

    def _wind_down(self) -> None:
        self._keyring.follow_no_more()

    def follow(self, records: Sequence[KeyRecord]) -> None:
        """Queues an entry for every change that is new. Does not wait for the store."""
        oldest = self._clock.now() - self._kept
        for record in records:
            for change in _changes(record):
                if change.at >= oldest and change not in self._known:
                    self._record(change, record)

    def _record(self, change: KeyChange, record: KeyRecord) -> None:
        details = msgspec.json.encode({"role": record.role, "expires": record.expires}).decode()
        event = Audited(
            at=change.at,
            by=LOCAL,
            action=change.action,
            subject=change.name,
            outcome=AuditOutcome.DONE,
            details=details,
        )
        try:
            self._recorder.record(event)
        except RecorderClosed:
            return  # the next start finds it
        self._known.add(change)


def _changes(record: KeyRecord) -> Iterator[KeyChange]:
    yield KeyChange(record.created, "keys.created", record.name)
    if record.revoked is not None:
        yield KeyChange(record.revoked, "keys.revoked", record.name)
