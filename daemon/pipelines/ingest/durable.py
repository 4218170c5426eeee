"""Files that are whole and on disk before anything refers to them."""

from __future__ import annotations

import os
from pathlib import Path


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


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
