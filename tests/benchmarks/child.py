"""Runs a function of a benchmark in a process of its own and returns what it found."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[2]


def call(module: str, function: str, *arguments: Any) -> Any:
    """The JSON-like result of `function` in a fresh Python."""
    given = msgspec.json.encode([module, function, arguments])
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.child"],
        input=given,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        timeout=900,
        check=True,
    )
    return msgspec.json.decode(done.stdout)


if __name__ == "__main__":
    name, function, arguments = msgspec.json.decode(sys.stdin.buffer.read())
    found = getattr(importlib.import_module(name), function)(*arguments)
    sys.stdout.buffer.write(msgspec.json.encode(found))
