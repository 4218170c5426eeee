"""Files that are whole and on disk before anything refers to them, and files of others that are what they should be."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def sync_path(path: Path) -> None:
    """Waits until the file's contents are on disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Waits until names put into or renamed within the folder are on disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def write_whole(path: Path, data: bytes) -> None:
    """Replaces a file's contents: at any moment it holds the old or the new, never a part."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_bytes(data)
    sync_path(unfinished)
    unfinished.replace(path)
    sync_folder(path.parent)


def write_private(path: Path, data: bytes, prepare: Callable[[int], None] | None = None) -> None:
    """As `write_whole`, for what its owner alone may read, at no moment anybody else.

    `prepare` gets the descriptor of the new file while it is empty, to give it to somebody.
    """
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if prepare is not None:
                prepare(descriptor)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def open_regular(path: str | Path, flags: int = 0) -> BinaryIO:
    """A file to read, opened with more `flags` of `os.open`. Raises `OSError`, also for what is none: to wait for a FIFO's writer would take for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def read_regular(path: Path) -> bytes:
    """What is in a file. Raises `OSError`, also for what is none."""
    with open_regular(path) as file:
        return file.read()


def make_private_folder(folder: Path) -> None:
    """Makes a folder, and those above it that are missing, for its owner alone.

    One that is there stays as it is. Raises `OSError`.
    """
    for missing in reversed([place for place in (folder, *folder.parents) if not place.is_dir()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
