"""A file that one key is written to for the program that uses it, readable by few."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from daemon.errors import TriagedError

OWNER = 0o600
GROUP = 0o640


class KeyNotWritten(TriagedError):
    """The file for the key cannot be written."""


class KeyOutput:
    """The file at a path, whether or not it is there yet."""

    def __init__(self, path: Path, mode: int = OWNER) -> None:
        self._path = path
        self._mode = mode

    def read(self) -> str | None:
        """The key in it; None when there is no file that could be read."""
        try:
            return self._path.read_text("utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            return None

    def write(self, key: str) -> None:
        """Puts the key in place of what is there, on disk when this returns. Raises `KeyNotWritten`.

        There is no line break at its end: not every program takes that off.
        """
        partial = self._path.with_name(f".{self._path.name}.part")
        try:
            partial.unlink(missing_ok=True)
            self._write(partial, key)
            partial.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            reason = error.strerror or "it cannot be reached"
            raise KeyNotWritten(f"{self._path} cannot be written: {reason}") from None

    def _write(self, partial: Path, key: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(partial, flags, OWNER), "wb") as file:
            os.fchmod(file.fileno(), self._mode)
            file.write(key.encode())
            file.flush()
            os.fsync(file.fileno())
