"""Whether a function can be loaded, found out in another process: the daemon itself does not load it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import msgspec

from daemon.errors import ConfigError, Problem
from daemon.interpreter import python
from daemon.pipelines.functions import load_function

_SECONDS = 60.0


def problems_elsewhere(function: str, where: str, base: Path) -> list[Problem]:
    """What `load_function` finds wrong; and code that crashes, or does not return, when it is imported."""
    with tempfile.NamedTemporaryFile() as answer:
        command = python(__name__, function, where, base, answer.name)
        try:
            done = subprocess.run(  # noqa: S603 (our own program)
                command, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return [
                Problem(where, f"cannot be loaded: that takes longer than {_SECONDS:g} seconds")
            ]
        found = answer.read()
    if not found:
        return [Problem(where, f"cannot be loaded: Python ends with code {done.returncode}")]
    return msgspec.json.decode(found, type=list[Problem])


def main(function: str, where: str, base: str, answer: str) -> None:
    """What the other process does: writes the problems, as JSON, to the file `answer`."""
    problems: list[Problem] = []
    try:
        load_function(function, where, Path(base))
    except ConfigError as error:
        problems = error.problems
    Path(answer).write_bytes(msgspec.json.encode(problems))
