"""A file that one key is written to for the program that uses it, readable by few."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.durable import write_private
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
        try:
            write_private(
                self._path, key.encode(), lambda descriptor: os.fchmod(descriptor, self._mode)
            )
        except OSError as error:
            reason = error.strerror or "it cannot be reached"
            raise KeyNotWritten(f"{self._path} cannot be written: {reason}") from None
