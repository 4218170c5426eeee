"""All keys that are good at the moment: those of the configuration and those of the keys file.

The file is looked at when a key is asked for, at most once a second, so that a key that was created
or revoked counts without a restart.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from hmac import compare_digest
from typing import NamedTuple

from daemon.access.keys import digest
from daemon.access.keys_file import KeyRecord, KeysFile, KeysFileDamaged
from daemon.clock import Clock

log = logging.getLogger("triaged.access")

LOOK_SECONDS = 1.0
"""How often the file is looked at, at most."""

Follower = Callable[[Sequence[KeyRecord]], None]


class Key(NamedTuple):
    """A key that is known."""

    name: str
    role: str
    digest: bytes
    expires: datetime | None = None


class Keyring:
    """Finds keys. Safe to use from any thread."""

    def __init__(self, configured: Iterable[Key], file: KeysFile, clock: Clock) -> None:
        """Raises `KeysFileDamaged`."""
        self.problem: str | None = None
        """Why the file cannot be used at the moment; its keys stay what they were."""
        self._configured = tuple(configured)
        self._file = file
        self._clock = clock
        self._follower: Follower | None = None
        self._next_look = clock.monotonic() + LOOK_SECONDS
        self._looking = threading.Lock()
        self._signature = file.signature()
        self._take(file.read())

    @property
    def any(self) -> bool:
        """Whether there is a key at all, expired ones included: they must not open the door."""
        return bool(self._keys)

    def find(self, given: str) -> Key | None:
        """The key, expired or not. Compares with all, in a time that does not depend on it."""
        hashed, found = digest(given), None
        for key in self._keys:
            if compare_digest(key.digest, hashed):
                found = key
        return found

    def holds(self, key: Key) -> bool:
        """Whether a key that was found is still good: neither revoked, nor replaced, nor expired."""
        return key in self._keys and not self.expired(key)

    def named(self, name: str) -> Key | None:
        """The key of this name, expired or not."""
        return next((key for key in self._keys if key.name == name), None)

    def expired(self, key: Key) -> bool:
        """Whether the time of a key is over."""
        return key.expires is not None and key.expires <= self._clock.now()

    def follow(self, follower: Follower) -> None:
        """Tells `follower` all that is in the file, now and whenever it has changed."""
        self._follower = follower
        follower(self._records)

    def follow_no_more(self) -> None:
        """Tells nobody any more."""
        self._follower = None

    def refresh(self) -> None:
        """Reads the file again if it has changed. Costs nothing more than once a second."""
        now = self._clock.monotonic()
        if now < self._next_look or not self._looking.acquire(blocking=False):
            return
        try:
            self._next_look = now + LOOK_SECONDS
            self._look()
        finally:
            self._looking.release()

    def _look(self) -> None:
        try:
            signature = self._file.signature()
            if signature == self._signature:
                return
            self._signature = signature
            self._take(self._file.read(missing_ok=False))
        except KeysFileDamaged as error:
            self._complain(str(error))
            return
        self.problem = None
        log.info("the keys were read again", extra={"event": "keys_read", "keys": len(self._keys)})
        if self._follower is not None:
            self._follower(self._records)

    def _complain(self, problem: str) -> None:
        if problem != self.problem:
            log.error(
                "the keys file cannot be used; the keys stay as they were",
                extra={"event": "keys_unusable", "reason": problem},
            )
        self.problem = problem

    def _take(self, records: Sequence[KeyRecord]) -> None:
        self._records = records
        stored = (
            Key(record.name, record.role, bytes.fromhex(record.sha256), record.expires)
            for record in records
            if record.sha256 is not None and record.revoked is None
        )
        self._keys = (*self._configured, *stored)
