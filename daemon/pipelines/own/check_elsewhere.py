"""Whether a function can be loaded, found out in another process: the daemon itself does not load it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import msgspec

from daemon.errors import ConfigError, Problem
from daemon.interpreter import python
from daemon.pipelines.functions import load_function
from daemon.triage.masking.redaction import mask

_SECONDS = 60.0
_LONGEST = 2000
"""Bytes of what is printed that are looked at."""
_LINES = 5


def problems_elsewhere(function: str, where: str, base: Path) -> list[Problem]:
    """What `load_function` finds wrong; code that crashes, or does not return, when it is imported; and, as
    harmless, what it prints then."""
    with tempfile.NamedTemporaryFile() as answer, tempfile.TemporaryFile() as output:
        command = python(__name__, function, where, base, answer.name)
        try:
            done = subprocess.run(  # noqa: S603 (our own program)
                command,
                cwd=base,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            wrong = f"cannot be loaded: that takes longer than {_SECONDS:g} seconds"
        else:
            wrong = f"cannot be loaded: Python ends with code {done.returncode}"
        output.seek(0)
        printed = output.read(_LONGEST).decode("utf-8", "replace").split("\n")
        found = answer.read()
    problems = msgspec.json.decode(found, type=list[Problem]) if found else [Problem(where, wrong)]
    # Whatever the user's code prints: no secret is shown on, and nothing that a terminal would carry out.
    if lines := [shown for line in printed if (shown := mask(line).strip())]:
        module = function.partition(":")[0]
        said = f"{module!r} prints when it is imported: {'; '.join(lines[-_LINES:])}"
        problems.append(Problem(where, said, harmless=True))
    return problems


def main(function: str, where: str, base: str, answer: str) -> None:
    """What the other process does: writes the problems, as JSON, to the file `answer`."""
    problems: list[Problem] = []
    try:
        load_function(function, where, Path(base))
    except ConfigError as error:
        problems = error.problems
    Path(answer).write_bytes(msgspec.json.encode(problems))
