"""The key that secrets are encrypted with, in a file of its own: who has the database does not have it."""

from __future__ import annotations

import os
import secrets
import stat
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from pathlib import Path

from daemon.durable import make_private_folder, write_private
from daemon.errors import CredentialsMissing

KEY_BYTES = 32
_LONGEST = 256


class KeyFile:
    """A file of one line: 32 random bytes in base64. Read anew each time, so that it can be put right."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes:
        """The key. Raises `CredentialsMissing`, which says what is wrong with the file."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise self._wrong("is not there: restore it from its backup") from None
        except OSError as error:
            raise self._wrong(f"cannot be read: {error.strerror}") from None
        try:
            self._check(os.fstat(descriptor).st_mode)
            return self._decoded(os.read(descriptor, _LONGEST))
        finally:
            os.close(descriptor)

    def _check(self, mode: int) -> None:
        if not stat.S_ISREG(mode):
            raise self._wrong("is no file")
        if mode & 0o077:
            raise self._wrong(
                "is open to others than its owner: make it private again with chmod 600"
            )

    def _decoded(self, text: bytes) -> bytes:
        try:
            key = b64decode(text.strip(), altchars=b"-_", validate=True)
        except (NotBase64, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise self._wrong("is damaged: restore it from its backup")
        return key

    def read_or_create(self) -> bytes:
        """The key, made if there is no file yet. Raises `CredentialsMissing`."""
        try:
            if not self.path.exists():
                self._create()
        except OSError as error:
            raise self._wrong(f"cannot be made: {error.strerror}") from None
        return self.read()

    def _create(self) -> None:
        """At any moment there is no file or a whole one, and never one that others can read."""
        make_private_folder(self.path.parent)
        write_private(self.path, urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")

    def _wrong(self, what: str) -> CredentialsMissing:
        return CredentialsMissing(f"the key file {self.path} {what}")
