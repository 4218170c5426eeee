"""The files of an ingestion: listed by glob, and found again by path without leaving the folder.

The ingestion's folder is the longest leading part of its glob that holds no wildcard and no braces; paths are
relative to it, with forward slashes. Hidden files and those that are still being put there
(``*.tmp``, ``*.part``) are left out, and so is whatever a symbolic link has outside the folder.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice, takewhile
from pathlib import Path

from daemon.errors import UnsafePath
from daemon.pipelines.ingest.failures import FolderError
from daemon.pipelines.ingest.ports import ListedFile

_WILDCARDS = re.compile(r"[*?\[]")
_CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")
_CLASS = re.compile(r"\[[^\]]*\]")
_MOST_ALTERNATIVES = 100
_UNFINISHED = (".tmp", ".part")


def glob_problem(files: str) -> str | None:
    """What is wrong with a glob, as a sentence; None when it is fine."""
    alternatives = list(islice(_alternatives(files), _MOST_ALTERNATIVES + 1))
    if len(alternatives) > _MOST_ALTERNATIVES:
        return f"a glob whose braces stand for at most {_MOST_ALTERNATIVES} alternatives"
    if any(brace in _CLASS.sub("", each) for each in alternatives for brace in "{}"):
        return "braces only around alternatives, such as *.{csv,tsv}; write [{] for one in a name"
    return next(filter(None, map(_problem, alternatives)), None)


def _problem(files: str) -> str | None:
    _, [pattern] = _split([files])
    if "\0" in files or files.endswith("/") or pattern in ([], ["/"]):
        return "a glob of files, such as inbox/orders/*.csv"
    if any(part == ".." for part in pattern):
        return "a glob without '..' after its first wildcard"
    if any("**" in part and part != "**" for part in pattern):
        return "a glob in which ** stands alone between slashes"
    return None


class InputFolder:
    """One ingestion's folder and the files in it that its glob covers."""

    def __init__(self, base: Path, files: str) -> None:
        """`files` is the glob; a relative one starts at `base`."""
        root, patterns = _split(sorted(set(_alternatives(files))))
        self.root = base / root
        self._fixed = _fixed(base, self.root)
        self.unnameable: set[str] = set()
        """Paths listed with their undecodable bytes written out: such a file cannot be tracked."""
        self.unreadable: dict[str, OSError] = {}
        """Files and folders (these end with a slash) that a listing could not look at, and why."""
        self._patterns = [_compiled(pattern) for pattern in patterns]

    def batches(self, size: int = 1000) -> Iterator[list[ListedFile]]:
        """The files in sorted order, in batches; raises `FolderError` without the folder."""
        if not self.root.is_dir():
            raise FolderError(f"There is no folder {self.root}.", "FOLDER_MISSING")
        self.unreadable.clear()
        files = self._walk("", 0)
        while batch := list(islice(files, size)):
            yield batch

    def resolve(self, path: str) -> Path:
        """The file at a tracked path; raises `UnsafePath` for any that the glob does not cover."""
        parts = path.split("/")
        if "\0" in path or {"", ".", ".."} & set(parts):
            raise UnsafePath
        if not self._is_covered(parts):
            raise UnsafePath
        place = self.root / path
        if not self._is_inside(place):
            raise UnsafePath
        return place

    def place(self, path: str) -> str:
        """Where a file is: relative to `base` if it is below that, otherwise absolute.

        No other ingestion has another name for it, nor has this one with another glob.
        """
        return f"{self._fixed}/{path}" if self._fixed else path

    def covers(self, place: str) -> bool:
        """Whether the glob covers the file at a place."""
        prefix = f"{self._fixed}/" if self._fixed else ""
        parts = place.removeprefix(prefix).split("/")
        return place.startswith(prefix) and self._is_covered(parts)

    def _is_covered(self, parts: list[str]) -> bool:
        return self._fits(parts) and not any(map(_is_left_out, parts))

    def _fits(self, parts: list[str]) -> bool:
        return any(_covers(pattern, parts) for pattern in self._patterns)

    def _walk(self, within: str, depth: int) -> Iterator[ListedFile]:
        names, folders = self._scan(within, depth)
        for name in names:
            path = f"{within}{name}"
            if name in folders:
                yield from self._walk(f"{path}/", depth + 1)
            elif self._fits(path.split("/")):
                yield from self._look(path)

    def _scan(self, within: str, depth: int) -> tuple[list[str], set[str]]:
        names: list[str] = []
        folders: set[str] = set()
        with self._entries(within) as entries:
            for entry in entries:
                if _is_left_out(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if not self._descends(entry.name, depth):
                        continue
                    folders.add(entry.name)
                names.append(entry.name)
        names.sort()
        return names, folders

    def _descends(self, name: str, depth: int) -> bool:
        """Whether the glob may cover files in a folder of that name."""
        return any(_leads_into(pattern, name, depth) for pattern in self._patterns)

    def _look(self, path: str) -> Iterator[ListedFile]:
        place = self.root / path
        try:
            found = place.lstat()
            if stat.S_ISLNK(found.st_mode) and self._is_inside(place):
                found = place.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            self.unreadable[self._shown(path)] = error
            return
        if stat.S_ISREG(found.st_mode):
            yield ListedFile(self._shown(path), found.st_size, found.st_mtime_ns)

    def _entries(self, within: str) -> AbstractContextManager[Iterable[os.DirEntry[str]]]:
        try:
            return os.scandir(self.root / within)
        except FileNotFoundError:  # removed since its own folder was listed
            return nullcontext(())
        except OSError as error:
            if not within:
                raise FolderError(
                    f"The folder {self.root} cannot be listed: {error.strerror}.",
                    "FOLDER_UNREADABLE",
                ) from error
            self.unreadable[self._shown(within)] = error
            return nullcontext(())

    def _shown(self, path: str) -> str:
        try:
            path.encode()
        except UnicodeEncodeError:
            path = os.fsencode(path).decode(errors="backslashreplace")
            self.unnameable.add(path)
        return path

    def _is_inside(self, place: Path) -> bool:
        # not Path.resolve, which takes a link to itself for a mistake of the program
        return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(self.root))


def _fixed(base: Path, root: Path) -> str:
    """The folder without what depends on where the configuration lies; empty for its own folder."""
    found, start = Path(os.path.normpath(root)), Path(os.path.normpath(base))
    fixed = found.relative_to(start) if found.is_relative_to(start) else found
    return "" if fixed == Path() else fixed.as_posix().rstrip("/")


_Pattern = list[re.Pattern[str] | None]
"""The parts of a glob below its folder; None stands for ``**``: any number of folders."""


def _alternatives(files: str) -> Iterator[str]:
    """The globs that one with braces stands for."""
    found = _CHOICE.search(files)
    if found is None:
        yield files
        return
    for each in found[1].split(","):
        yield from _alternatives(files[: found.start()] + each + files[found.end() :])


def _split(globs: list[str]) -> tuple[Path, list[list[str]]]:
    """The folder without wildcards that all globs have in common, and the parts of each below it."""
    parts = [list(Path(glob).parts) for glob in globs]
    fixed = zip(*(each[: _fixed_parts(each)] for each in parts), strict=False)
    shared = sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, fixed))
    return Path(*parts[0][:shared]), [each[shared:] for each in parts]


def _fixed_parts(parts: list[str]) -> int:
    first = next((at for at, part in enumerate(parts) if _WILDCARDS.search(part)), len(parts) - 1)
    return max(first, 0)


def _compiled(parts: list[str]) -> _Pattern:
    whole = [*parts, "*"] if parts[-1] == "**" else parts
    return [None if part == "**" else re.compile(fnmatch.translate(part)) for part in whole]


def _leads_into(pattern: _Pattern, name: str, depth: int) -> bool:
    if None in pattern[: depth + 1]:
        return True
    segment = pattern[depth] if depth < len(pattern) - 1 else None
    return segment is not None and bool(segment.match(name))


def _covers(segments: _Pattern, parts: list[str]) -> bool:
    """Whether a path, in parts, fits the glob."""
    if not segments:
        return not parts
    if segments[0] is None:
        rest = segments[1:]
        return any(_covers(rest, parts[at:]) for at in range(len(parts) + 1))
    return bool(parts and segments[0].match(parts[0])) and _covers(segments[1:], parts[1:])


def _is_left_out(name: str) -> bool:
    return name.startswith((".", "~$")) or name.lower().endswith(_UNFINISHED)
