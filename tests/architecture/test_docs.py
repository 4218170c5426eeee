"""The docs say everything, and what is generated in them is up to date."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from daemon.config.schema import Config, ConfigTable
from tests import generated
from tests.api_tables import listed_paths
from tests.support.product import ROOT, Product

DOCS = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}
ALL = "\n".join([*DOCS.values(), (ROOT / "README.md").read_text()])


@pytest.fixture(scope="module")
def made() -> dict[Path, str]:
    return dict(generated.generated())


def test_generated_files_are_up_to_date(made: dict[Path, str]) -> None:
    stale = [path.name for path, content in made.items() if path.read_text() != content]
    assert stale == [], "run `make docs` and commit what it changed"


def test_every_endpoint_is_documented_once(made: dict[Path, str]) -> None:
    document = json.loads(made[ROOT / "docs/openapi.json"])
    operations = [
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    ]
    assert len(operations) > 50
    assert sorted(listed_paths(DOCS["api.md"])) == sorted(operations)


def test_no_operation_is_described_by_what_it_is_made_with(made: dict[Path, str]) -> None:
    document = json.loads(made[ROOT / "docs/openapi.json"])
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert [o["operationId"] for o in operations if "thread pool" in o["description"]] == []


def _records(base: type[ConfigTable]) -> Iterator[type[ConfigTable]]:
    """The records of tables in the file: those that nothing is derived from."""
    for record in base.__subclasses__():
        if record.__subclasses__():
            yield from _records(record)
        elif not record.__name__.startswith("_"):
            yield record


def test_every_setting_is_documented() -> None:
    """The records are found by what they are, not by a list that somebody has to think of."""
    places = re.compile(r"daemon\.config\.schema|daemon\.pipelines\.\w+\.config")
    records = {record for record in _records(ConfigTable) if places.fullmatch(record.__module__)}
    described = dict(generated.tables())
    assert len(records) > 12
    assert [r.__name__ for r in records - {Config} if r not in described.values()] == []
    for header, record in described.items():
        _, found, section = DOCS["configuration.md"].partition(f"\n## `{header}`\n")
        assert found, header
        keys = re.findall(r"^\| `(\w+)` \| [^|]", section.partition("\n## ")[0], re.MULTILINE)
        assert keys == [field.name for field in msgspec.structs.fields(record)]


def test_every_metric_is_documented() -> None:
    sources = (ROOT / "daemon/metrics").glob("*.py")
    metrics = {
        node.value
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"triaged_\w+", node.value)
    }
    assert len(metrics) > 25
    assert [name for name in sorted(metrics) if f"`{name}" not in DOCS["metrics.md"]] == []


def test_every_command_and_make_target_is_documented(tmp_path: Path) -> None:
    text = Product(tmp_path).command("--help").stdout
    commands = set(re.findall(r"^ {4}([a-z]+(?:-[a-z]+)*)(?: {2,}|$)", text, re.MULTILINE))
    assert commands >= {"serve", "run", "check-config", "classify", "failures", "runs", "watch"}
    assert [name for name in sorted(commands) if f"triaged {name}" not in ALL] == []
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"make (\w+)", shown.stdout)
    assert len(targets) > 5
    assert [t for t in targets if f"`make {t}`" not in contributing] == []


def test_every_link_in_the_docs_leads_somewhere() -> None:
    dead = [
        f"{path.name}: {target}"
        for folder in (".", "docs", "alerts/runbooks")
        for path in (ROOT / folder).glob("*.md")
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text())
        if not target.startswith("http") and not (path.parent / target).exists()
    ]
    assert dead == []
