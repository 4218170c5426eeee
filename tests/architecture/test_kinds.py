"""A kind of pipeline is known to itself, to the list of kinds, and to what is its own elsewhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from daemon.pipelines.kinds import KINDS
from tests.architecture.source_tree import IMPORTS, ROOT, SOURCES, module_name, within

FOLDERS = sorted(path.parent.name for path in ROOT.glob("daemon/pipelines/*/kind.py"))

COMPOSITION = ("daemon.service", "daemon.pipelines.kinds", "api.app")
"""Where kinds are put together with the rest."""

ROOMS = {
    "ingest": (
        "daemon.operations.files",
        "daemon.store.ledgers.files",
        "api.files",
        "api.ingestions",
        "api.rejected",
        "api.schemas.ingestions",
    ),
    "mail": (
        "daemon.accounts",
        "daemon.operations.accounts",
        "daemon.store.ledgers.accounts",
        "daemon.store.ledgers.messages",
        "api.account_details",
        "api.schemas.accounts",
        "api.schemas.account_orders",
    ),
}
"""What else is a kind's own: what people do with its things, its ledger, its resources of the API."""


def test_every_kind_is_in_the_list() -> None:
    folders = [kind.config.__module__.split(".")[-2] for kind in KINDS]
    assert sorted(folders) == FOLDERS
    assert [kind.name for kind in KINDS].count(None) == 1


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_kind_is_imported_only_by_what_is_its_own(kind: str) -> None:
    folder = f"daemon.pipelines.{kind}"
    at_home = (folder, *ROOMS.get(kind, ()), *COMPOSITION)
    strays = [
        f"{module} imports {name}"
        for module, name in IMPORTS
        if within(name, folder) and not any(within(module, place) for place in at_home)
    ]
    assert strays == []


def test_the_name_of_a_pipeline_stands_in_its_folder_only() -> None:
    names = {kind.name for kind in KINDS if kind.name}
    said = [
        (module_name(path), node.value)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert len({name for _, name in said}) == len(names)
    # The API describes itself with examples.
    inside = [(m, name) for m, name in said if not within(m, "api.schemas")]
    assert [(m, n) for m, n in inside if not within(m, f"daemon.pipelines.{n}")] == []


def test_the_list_of_kinds_is_handed_to_the_core_and_not_imported_by_it() -> None:
    importers = {module for module, name in IMPORTS if within(name, "daemon.pipelines.kinds")}
    assert "daemon.service" in importers
    others = importers - {"daemon.service"}
    assert [module for module in others if not within(module, "daemon.cli")] == []


def classes_asked_for(tree: ast.AST) -> Iterator[str]:
    """Names of the classes that some value is compared with."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, asked]):
                for part in ast.walk(asked):
                    yield from [part.id] if isinstance(part, ast.Name) else []
                    yield from [part.attr] if isinstance(part, ast.Attribute) else []
            case ast.MatchClass(cls=ast.Name(id=name) | ast.Attribute(attr=name)):
                yield name


def test_only_a_kind_asks_whether_a_configuration_is_its_own() -> None:
    classes = {
        node.name: f"daemon.pipelines.{folder}"
        for folder in FOLDERS
        for node in ast.parse((ROOT / f"daemon/pipelines/{folder}/config.py").read_text()).body
        if isinstance(node, ast.ClassDef)
    }
    assert len(classes) > 5
    asked = [
        (module_name(path), name)
        for path in SOURCES
        for name in classes_asked_for(ast.parse(path.read_text()))
        if name in classes
    ]
    assert ("daemon.pipelines.mail.configured", "MailConfig") in asked
    assert [(m, name) for m, name in asked if not within(m, classes[name])] == []


def test_a_configuration_is_read_without_the_libraries_of_any_pipeline() -> None:
    libraries = ("duckdb", "imapclient", "httpx", "apscheduler")
    code = (
        f"import sys, daemon.pipelines.kinds; print([m for m in {libraries} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
