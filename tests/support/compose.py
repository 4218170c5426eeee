"""The containers of compose.yaml and the Dockerfile, as far as they can be had without an engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.support.product import ROOT

FILES = ("compose.yaml", "compose.demo.yaml")
_VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")
_ABSOLUTE = re.compile(r"(?<![\w./:])/(?=(?:etc|keys|opt|prometheus|run|srv|var|alertmanager)\b)")
"""Where a path of a container begins in a text."""


class Mount(NamedTuple):
    """One line of a service's `volumes`."""

    source: str
    """A named volume, or a path that begins with a dot."""
    target: str
    writable: bool

    @classmethod
    def parse(cls, text: str) -> Mount:
        source, target, *mode = text.split(":")
        return cls(source, target, mode != ["ro"])

    @property
    def path(self) -> Path | None:
        """What is mounted of the repository; None for a volume."""
        return ROOT / self.source if self.source.startswith(".") else None


def services(*, demo: bool = False) -> dict[str, dict[str, Any]]:
    """The services by name, variables at their defaults; with the demo on top, as compose merges it."""
    merged = _load(FILES[0])["services"]
    if not demo:
        return merged
    for name, more in _load(FILES[1])["services"].items():
        found = merged.setdefault(name, {"volumes": [], "depends_on": {}})
        replaced = {Mount.parse(mount).target for mount in more.get("volumes", [])}
        kept = [m for m in found["volumes"] if Mount.parse(m).target not in replaced]
        depends = found["depends_on"] | more.get("depends_on", {})
        found |= more | {"volumes": kept + more.get("volumes", []), "depends_on": depends}
    return merged


def volumes() -> set[str]:
    """The named volumes."""
    return set(_load(FILES[0])["volumes"])


def _load(name: str) -> dict[str, Any]:
    return yaml.safe_load(_VARIABLE.sub(r"\1", (ROOT / name).read_text()))


def mounts(service: dict[str, Any]) -> list[Mount]:
    """What a service mounts."""
    return [Mount.parse(text) for text in service.get("volumes", [])]


class Instruction(NamedTuple):
    """One line of the Dockerfile, continued lines together."""

    stage: str
    word: str
    rest: str

    @property
    def exec_form(self) -> list[str]:
        """The list of words after CMD or ENTRYPOINT."""
        return json.loads(self.rest[self.rest.index("[") :])

    @property
    def copied(self) -> list[tuple[str, str]]:
        """Source and target of what it copies from the repository; nothing for any other word."""
        words = shlex.split(self.rest) if self.word == "COPY" else []
        if not words or words[0].startswith("--from"):
            return []
        return [(source, words[-1]) for source in words[:-1]]


def instructions(stage: str) -> Iterator[Instruction]:
    """What the Dockerfile says for one stage."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    current = ""
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            current = rest.split()[-1]
        if current == stage and word and not word.startswith("#"):
            yield Instruction(current, word, rest.strip())


def the_only(stage: str, word: str) -> Instruction:
    """The one instruction of its kind in a stage."""
    (found,) = (line for line in instructions(stage) if line.word == word)
    return found


class Container:
    """A folder that has what the container of a service would have, at the same places below it."""

    def __init__(self, name: str, folder: Path, *, demo: bool = False) -> None:
        self.service = services(demo=demo)[name]
        self.root = folder / name
        self.root.mkdir(parents=True)
        for mount in mounts(self.service):
            place = self.inside(mount.target)
            place.parent.mkdir(parents=True, exist_ok=True)
            if mount.path is None:
                volume = folder / "volumes" / mount.source
                volume.mkdir(parents=True, exist_ok=True)
                place.symlink_to(volume)
            elif mount.path.is_dir():
                shutil.copytree(mount.path, place)
            else:
                place.write_text(self.here(mount.path.read_text()))

    def inside(self, path: str) -> Path:
        """Where a path of the container is."""
        return self.root / path.lstrip("/")

    def here(self, text: str) -> str:
        """A text with its absolute paths changed to where they are."""
        return _ABSOLUTE.sub(f"{self.root}/", text)

    def command(self) -> list[str]:
        """What the service is started with, after the entry point."""
        return [self.here(word) for word in self.service["command"]]

    def change(self, path: str, old: str, new: str) -> None:
        """Replaces text in a mounted file; what is to be replaced has to be there."""
        file = self.inside(path)
        text = file.read_text()
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new))


def as_user(uid: int, *groups: int) -> dict[str, Any]:
    """Options of a process that is to run as another user, where that is possible: as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": uid, "group": uid, "extra_groups": list(groups)}


def give(folder: Path, uid: int) -> None:
    """Makes a volume's folder what it is in its image: of the container's user, read by its group."""
    if os.geteuid() == 0:
        os.chown(folder, uid, uid)
    folder.chmod(0o750)
