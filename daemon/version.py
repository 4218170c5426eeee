"""Which triaged this is: its version, and the commit that it was built from or runs from."""

from __future__ import annotations

import re
from pathlib import Path

from daemon import __version__

WRITTEN_DOWN = "commit.txt"
"""In a package that was built: the commit of its code."""
_SHOWN = 12


def commit_of(package: Path) -> str | None:
    """The commit of the code in the folder `package`: written down when it was built, or else what the clone
    that it stands in has checked out. Git need not be installed. None when nobody can tell."""
    try:
        found = _written_down(package) or _checked_out(package.parent / ".git")
    except (OSError, UnicodeDecodeError):
        return None
    return found if found and re.fullmatch(r"[0-9a-f]{40,64}", found) else None


def _written_down(package: Path) -> str | None:
    file = package / WRITTEN_DOWN
    return file.read_text("ascii").strip() if file.is_file() else None


def _checked_out(git: Path) -> str | None:
    """As gitrepository-layout(5) has it, also for a work tree beside its repository."""
    if git.is_file():
        git = git.parent / git.read_text("utf-8").strip().removeprefix("gitdir: ")
    shared = git / "commondir"
    common = git / shared.read_text("utf-8").strip() if shared.is_file() else git
    head = (git / "HEAD").read_text("utf-8").strip()
    if not head.startswith("ref: "):
        return head
    ref = head.removeprefix("ref: ")
    for folder in (git, common):
        if (folder / ref).is_file():
            return (folder / ref).read_text("utf-8").strip()
    packed = common / "packed-refs"
    lines = packed.read_text("utf-8").splitlines() if packed.is_file() else []
    return next((line.split(" ")[0] for line in lines if line.endswith(f" {ref}")), None)


_COMMIT = commit_of(Path(__file__).parent)
VERSION = f"{__version__}+g{_COMMIT[:_SHOWN]}" if _COMMIT else __version__
"""The version with its commit, as in ``0.1.0+g4f2a90c1d3e5``; without one where it is not known."""
