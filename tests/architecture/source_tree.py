"""The product's modules and what each imports when it runs, read from their text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("daemon/**/*.py"), *ROOT.glob("api/**/*.py")])


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in SOURCES}


def imports(path: Path) -> Iterator[str]:
    """All that a module names in its imports, for type checking or not."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


IMPORTS = [(module, name) for module, path in MODULES.items() for name in imports(path)]


def run_time_imports(path: Path) -> Iterator[str]:
    """The modules that a module imports when it runs, also those inside of functions."""
    yield from _run_time_imports(ast.parse(path.read_text()))


def _run_time_imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = (f"{node.module}.{alias.name}" for alias in node.names)
        yield from (name if name in MODULES else node.module for name in names)
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _run_time_imports(child)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Every class with the module that it stands in."""
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield module, node
