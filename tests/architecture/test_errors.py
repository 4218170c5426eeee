"""The exception tree in the docstrings is the one of the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.source_tree import MODULES, classes

PICTURED = (
    "daemon.errors",
    "daemon.pipelines.ingest.failures",
    "daemon.pipelines.mail.errors",
    "daemon.runners.cut_short",
)
_BRANCH = re.compile(r"^((?:│   |    )*)[├└]── (\w+) +(?:\(([a-z_.]+)\) )?\S")
_BESIDE = re.compile(r"`((?:api|daemon)[a-z_.]*)\.([A-Z]\w+)`")


def text(module: str) -> str:
    return ast.get_docstring(ast.parse(MODULES[module].read_text())) or ""


def drawn(module: str) -> Iterator[tuple[str, str, str]]:
    """The name, the parent and the module of every exception in a picture."""
    above = [next(line for line in text(module).splitlines() if re.fullmatch(r"\w+", line))]
    for line in text(module).splitlines():
        if branch := _BRANCH.match(line):
            depth = len(branch[1]) // 4 + 1
            place = f"daemon.{branch[3]}" if branch[3] else module
            yield branch[2], above[depth - 1], place
            above[depth:] = [branch[2]]


DRAWN = {found for module in PICTURED for found in drawn(module)}
BASES = {node.name: [ast.unparse(base) for base in node.bases] for _, node in classes()}


def is_exception(name: str) -> bool:
    return name.endswith(("Error", "Exception")) or any(map(is_exception, BASES.get(name, [])))


def standing() -> Iterator[tuple[str, str, str]]:
    for module, node in classes():
        if any(is_exception(ast.unparse(base)) for base in node.bases):
            yield node.name, ast.unparse(node.bases[0]), module


def test_every_exception_of_ours_is_in_the_tree_where_it_stands() -> None:
    beside = {(name, module) for module, name in _BESIDE.findall(text("daemon.errors"))}
    found = set(standing())
    assert len(found) > 50
    missing = [
        f"{name}({parent}) in {module}"
        for name, parent, module in found - DRAWN
        if (name, module) not in beside and name != "TriagedError"
    ]
    assert missing == [], "draw them in the docstring of daemon/errors.py"


def test_the_tree_shows_no_exception_that_is_not_there() -> None:
    assert DRAWN - set(standing()) == set()
