"""The file that `triaged token` keeps keys in: JSON, hashes only, replaced as a whole.

Revoked keys stay in it without their hash, so that a daemon that was not running then can still say
in its audit trail who was revoked, and when.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from daemon.access.keys import digest, make_key
from daemon.access.roles import LOCAL, NOT_A_KEYS_NAME, KeyName, Role
from daemon.durable import make_private_folder, open_regular, write_private
from daemon.errors import Conflict, NotFound, TriagedError

MOST_REVOKED = 1000
"""Revoked keys that are remembered."""


class KeysFileDamaged(TriagedError):
    """The keys file cannot be read."""


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key as it is kept."""

    name: KeyName
    role: Role
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None
    """Of the key; None once it is revoked."""
    created: Annotated[datetime, Meta(tz=True)]
    expires: Annotated[datetime, Meta(tz=True)] | None = None
    revoked: Annotated[datetime, Meta(tz=True)] | None = None


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: tuple[KeyRecord, ...]
    version: Annotated[int, Meta(ge=1, le=1)] = 1


class KeysFile:
    """The file at a path, whether or not it is there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def signature(self) -> tuple[int, int, int] | None:
        """What changes whenever the file does; None without one. Raises `KeysFileDamaged`."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._damaged(error.strerror or "it cannot be reached") from None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def read(self, *, missing_ok: bool = True) -> tuple[KeyRecord, ...]:
        """All keys; none without a file, if that is `missing_ok`. Raises `KeysFileDamaged`."""
        try:
            with open_regular(self.path) as file:
                if os.fstat(file.fileno()).st_mode & stat.S_IWOTH:
                    raise self._damaged("everybody may write it; `chmod 600` it")
                keys = msgspec.json.decode(file.read(), type=_Content).keys
        except OSError as error:
            if missing_ok and isinstance(error, FileNotFoundError):
                return ()
            raise self._damaged(error.strerror or "it cannot be read") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from None
        names = [key.name for key in keys if key.revoked is None]
        if len(set(names)) < len(names):
            raise self._damaged("two of its keys have the same name")
        if LOCAL in names:
            raise self._damaged(NOT_A_KEYS_NAME)
        return keys

    def _damaged(self, reason: str) -> KeysFileDamaged:
        return KeysFileDamaged(f"{self.path} cannot be used: {reason}")

    def create(
        self,
        name: str,
        role: Role,
        now: datetime,
        *,
        expires: datetime | None = None,
        taken: Sequence[str] = (),
        hand_over: Callable[[str], None] | None = None,
    ) -> str:
        """Adds a key and returns it: it cannot be had again. Raises `Conflict`.

        `hand_over` gets the key before it is good for anything: when that fails, or nothing after it
        happens, no name is taken by a key that nobody has.
        """
        key = make_key()
        hashed = digest(key).hex()
        record = KeyRecord(name=name, role=role, sha256=hashed, created=now, expires=expires)
        with self._locked():
            keys = self.read()
            if name == LOCAL:
                raise Conflict(f"{NOT_A_KEYS_NAME}: choose another")
            if name in taken or any(k.name == name and not k.revoked for k in keys):
                raise Conflict(f"there is a key named {name} already: choose another name")
            if hand_over is not None:
                hand_over(key)
            self._write((*keys, record))
        return key

    def knows(self, key: str, name: str, role: Role, now: datetime) -> bool:
        """Whether `key` is good at this time, and has this name and role."""
        hashed = digest(key).hex()
        return any(
            (found.name, found.role, found.sha256) == (name, role, hashed)
            and (found.expires is None or found.expires > now)
            for found in self.read()
        )

    def revoke(self, name: str, now: datetime) -> None:
        """Makes a key useless for good. Raises `NotFound`."""
        with self._locked():
            keys = self.read()
            if not any(key.name == name and not key.revoked for key in keys):
                raise NotFound(
                    f"{self.path} has no key named {name}; `triaged token list` shows them"
                )
            self._write([_revoked(key, now) if key.name == name else key for key in keys])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One command at a time: the folder is locked, since the file itself gets replaced."""
        make_private_folder(self.path.parent)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, keys: Sequence[KeyRecord]) -> None:
        dropped = {id(key) for key in [key for key in keys if key.revoked][:-MOST_REVOKED]}
        content = _Content(tuple(key for key in keys if id(key) not in dropped))
        data = msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"
        write_private(self.path, data, self._give_to_owner)

    def _give_to_owner(self, descriptor: int) -> None:
        """What root makes belongs to whom the folder belongs, who has to read it."""
        if os.geteuid() == 0:
            folder = self.path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)


def _revoked(key: KeyRecord, now: datetime) -> KeyRecord:
    return key if key.revoked else msgspec.structs.replace(key, sha256=None, revoked=now)
