"""Files copied aside: kept with a manifest until they are released or discarded.

``<root>/<source>/<id>/`` holds ``content`` (the bytes) and ``manifest.json``, which is written last
and makes the copy count. Every step may be repeated after a crash and comes to the same end.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import msgspec

from daemon.durable import make_private_folder, open_regular, sync_folder, sync_path, write_whole
from daemon.errors import Conflict, NotFound
from daemon.pipelines.ingest.content import content_hash

_CONTENT = "content"
_MANIFEST = "manifest.json"
_ID = re.compile(r"[0-9a-f]{16}")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """Why and when a file was set aside."""

    category: str
    user_message: str
    run_id: str
    """The run in which it failed."""
    quarantined_at: datetime


class Manifest(Occasion, frozen=True, kw_only=True):
    """What is known of a quarantined file."""

    id: str
    source: str
    path: str
    """Where it was, relative to the ingestion's folder."""
    size: int
    mtime_ns: int
    content_hash: str
    """BLAKE2b of the bytes, 32 hex digits."""


class Quarantine:
    """The quarantine folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(
        self,
        source: str,
        path: str,
        original: Path,
        occasion: Occasion,
    ) -> Manifest:
        """Copies a file aside; the same content of the same path is kept once.

        Raises `NotFound` when there is no such file, `Conflict` when it cannot be read or is none.
        """
        try:
            file = open_regular(original)
        except FileNotFoundError:
            raise NotFound(f"{path} is no longer there.") from None
        except OSError as error:
            raise Conflict(f"{path} cannot be read: {error.strerror}.") from None
        with file:
            version = content_hash(file)
            found = os.fstat(file.fileno())
            manifest = Manifest(
                id=_id(path, version),
                source=source,
                path=path,
                size=found.st_size,
                mtime_ns=found.st_mtime_ns,
                content_hash=version,
                **msgspec.structs.asdict(occasion),
            )
            return self._keep(manifest, file)

    def get(self, source: str, id_: str) -> Manifest:
        """The manifest; raises `NotFound`."""
        try:
            data = (self._folder(source, id_) / _MANIFEST).read_bytes()
        except FileNotFoundError:
            raise NotFound("That file is not in quarantine.") from None
        return msgspec.json.decode(data, type=Manifest)

    def find(self, source: str, path: str) -> list[Manifest]:
        """The quarantined versions of one file, newest first."""
        found = [manifest for manifest in self.all(source) if manifest.path == path]
        return sorted(found, key=lambda manifest: manifest.quarantined_at, reverse=True)

    def all(self, source: str) -> Iterator[Manifest]:
        """Every file of a source that is in quarantine."""
        for place in sorted((self.root / source).glob(f"*/{_MANIFEST}")):
            yield msgspec.json.decode(place.read_bytes(), type=Manifest)

    def open(self, source: str, id_: str) -> BinaryIO:
        """The bytes, for download; raises `NotFound`."""
        self.get(source, id_)
        return (self._folder(source, id_) / _CONTENT).open("rb")

    def release(self, source: str, id_: str, original: Path) -> None:
        """Puts the copy back where the original is gone, and keeps it until `discard`.

        An original that is still there with the same content stays as it is; raises `Conflict` when
        another file took its place.
        """
        manifest = self.get(source, id_)
        original.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".triaged-", dir=original.parent) as folder:
            copy = Path(folder) / _CONTENT
            shutil.copyfile(self._folder(source, id_) / _CONTENT, copy)
            os.utime(copy, ns=(manifest.mtime_ns, manifest.mtime_ns))
            sync_path(copy)
            _link(copy, original, manifest)
        sync_folder(original.parent)

    def discard(self, source: str, id_: str) -> None:
        """Removes a copy; one that is gone already is fine."""
        folder = self._folder(source, id_)
        (folder / _MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def _keep(self, manifest: Manifest, file: BinaryIO) -> Manifest:
        folder = self._folder(manifest.source, manifest.id)
        if (folder / _MANIFEST).exists():
            return self.get(manifest.source, manifest.id)
        make_private_folder(folder)
        file.seek(0)
        with (folder / _CONTENT).open("wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
        with (folder / _CONTENT).open("rb") as copy:
            if content_hash(copy) != manifest.content_hash:
                raise Conflict(f"{manifest.path} is being written. Try again when it is complete.")
        sync_path(folder / _CONTENT)
        write_whole(folder / _MANIFEST, msgspec.json.encode(manifest))
        sync_folder(folder.parent)
        return manifest

    def _folder(self, source: str, id_: str) -> Path:
        if not _ID.fullmatch(id_) or not _SOURCE.fullmatch(source):
            raise NotFound("That file is not in quarantine.")
        return self.root / source / id_


def _link(copy: Path, original: Path, manifest: Manifest) -> None:
    """Gives the copy its old name, which fails without a race when there is such a file."""
    try:
        os.link(copy, original)
    except FileExistsError:
        if not _holds(original, manifest.content_hash):
            raise Conflict(
                f"Another file is at {manifest.path}. Move it away to release this one."
            ) from None


def _holds(place: Path, version: str) -> bool:
    try:
        with open_regular(place) as file:
            return content_hash(file) == version
    except OSError:
        return False


def _id(path: str, content: str) -> str:
    return blake2b(f"{path}\0{content}".encode(), digest_size=8).hexdigest()
