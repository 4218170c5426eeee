"""Another Python, with the same packages, for code that may harm the process that it runs in."""

from __future__ import annotations

import sys
from pathlib import Path

import daemon

_PACKAGES = Path(daemon.__file__).parents[1]
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from {module} import main; main(*sys.argv[2:])"
)


def python(module: str, *arguments: object) -> list[str]:
    """The command that calls `main` of a module of ours, with the arguments as text.

    Nothing comes onto its import path from where it is started (`-P`): a file there could pass for ours.
    """
    program = _PROGRAM.format(module=module)
    return [sys.executable, "-P", "-c", program, str(_PACKAGES), *map(str, arguments)]
