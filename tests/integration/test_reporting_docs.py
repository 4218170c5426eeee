"""The examples of docs/reporting.md work as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.api_server import running
from tests.support.product import ROOT

HERE = "http://127.0.0.1:8080"


def examples() -> list[str]:
    """The commands of the page, each with the definitions that come before it."""
    text = re.sub(r"(?s)```.*?```", "", (ROOT / "docs/reporting.md").read_text())
    lines = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    commands = re.findall(r"^(?:J=|curl ).*(?:\n(?!J=|curl |http).*)*", lines, re.MULTILINE)
    definitions = [command for command in commands if command.startswith("J=")]
    return ["\n".join([*definitions, c]) for c in commands if c not in definitions]


@pytest.mark.requirement("M4")
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_example_is_answered(tmp_path: Path) -> None:
    found = examples()
    assert len(found) == 19
    with running(tmp_path) as (_, url):
        for example in found:
            command = example.replace(HERE, url).replace("curl ", "curl -sS --fail-with-body ")
            done = subprocess.run(
                ["bash", "-ec", command], capture_output=True, text=True, timeout=30, check=False
            )
            assert done.returncode == 0, (example, done.stdout, done.stderr)
            assert done.stdout.strip(), example
