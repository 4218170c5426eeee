"""Modules beside the configuration that code of the user's would not get: another of that name comes first.

Python knows one module of a name. In this process `api` and `daemon` are triaged's, and names of the standard
library and of installed packages are taken as well. Code that imports its own `api` would silently get ours, at
the top of a module or years later inside a function. So the sources are looked through before anything of them
is imported, and such a name is refused with what to rename.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from daemon.durable import read_regular

OURS = ("api", "daemon")


class HiddenModule(NamedTuple):
    """A module of the user's, which is not what an import of its name leads to."""

    name: str
    place: Path
    """Its file, or the folder of the package."""
    importer: Path | None
    """The file that would get the other one; None when the configuration names it."""

    def __str__(self) -> str:
        owner = "an installed package"
        if self.name in OURS:
            owner = "triaged itself"
        elif self.name in sys.stdlib_module_names:
            owner = "Python itself"
        who = f", and {self.importer.name} would get that one" if self.importer else ""
        return (
            f"{self.place.name} has the name of a module of {owner}{who}; expected another name, "
            f"such as my_{self.place.name}"
        )


def hidden_modules(module: str, base: Path) -> list[HiddenModule]:
    """Those among `module` and all that it imports, directly or not, from the folder `base`."""
    found: dict[str, HiddenModule] = {}
    seen: set[Path] = set()
    waiting: list[tuple[str, Path | None]] = [(module, None)]
    while waiting:
        name, importer = waiting.pop()
        top = name.partition(".")[0]
        place = _place_of(base, top)
        if place is not None and _leads_elsewhere(top, base):
            found.setdefault(top, HiddenModule(top, place, importer))
            continue
        for source in _sources(base, name):
            if source not in seen:
                seen.add(source)
                waiting += [(imported, source) for imported in _imports(source, base)]
    return list(found.values())


def _place_of(base: Path, top: str) -> Path | None:
    """Where the folder has a module or package of that name, be it one without `__init__.py`."""
    file, folder = base / f"{top}.py", base / top
    if file.is_file():
        return file
    return folder if folder.is_dir() and any(folder.glob("*.py")) else None


def _file_of(base: Path, name: str) -> Path | None:
    """The source of a module, by its dotted name, if it is below `base`."""
    stem = base.joinpath(*name.split("."))
    candidates = (stem / "__init__.py", stem.with_name(stem.name + ".py"))
    return next((file for file in candidates if file.is_file()), None)


def _sources(base: Path, name: str) -> Iterator[Path]:
    """What an import of that name runs: the packages that it is in, then itself."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        file = _file_of(base, ".".join(parts[:length]))
        if file is not None:
            yield file


def _leads_elsewhere(name: str, base: Path) -> bool:
    """Whether an import of that name gets another module than the one in `base`."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        return not any(_is_in(place, base) for place in _places(loaded))
    if name in sys.builtin_module_names:
        return True
    others = [entry for entry in sys.path if Path(entry or ".").resolve() != base.resolve()]
    return PathFinder.find_spec(name, others) is not None


def _places(module: ModuleType) -> list[str]:
    return [file] if (file := module.__file__) else list(getattr(module, "__path__", ()))


def _is_in(place: str, base: Path) -> bool:
    return Path(place).resolve().is_relative_to(base.resolve())


def _imports(source: Path, base: Path) -> Iterator[str]:
    """Names that a source may import, wherever in it; what follows `from` may be a module or not."""
    try:
        tree = ast.parse(read_regular(source))
    except (OSError, SyntaxError, ValueError):
        return  # importing it says what is wrong
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                parent = _parent(node, source, base)
                yield from [parent] if parent else []
                yield from (f"{parent}.{alias.name}".lstrip(".") for alias in node.names)
            case ast.Call(args=[ast.Constant(value=str(name)), *_], func=called):
                if ast.unparse(called).rpartition(".")[2] in ("import_module", "__import__"):
                    yield name


def _parent(node: ast.ImportFrom, source: Path, base: Path) -> str:
    """What a `from` names, relative names made absolute."""
    if not node.level:
        return node.module or ""
    package = source.relative_to(base).parent.parts
    above = package[: len(package) - node.level + 1]
    return ".".join((*above, *filter(None, (node.module,))))
