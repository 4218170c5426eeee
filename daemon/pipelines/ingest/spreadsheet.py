"""Cells that a spreadsheet would run as a formula: defused on export, restored on import.

Defusing puts an apostrophe before a cell that starts with ``=``, ``+``, ``-``, ``@``, a tab or a
carriage return (OWASP, "CSV Injection"). Cells that already start with apostrophes and then one of
those get one more, so that restoring gives back exactly what there was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

ADDED_PREFIX = "_triaged_"
"""Starts the names of the columns that an export adds and an import leaves out."""

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_DEFUSED = re.compile(r"'+[=+\-@\t\r]")


def defuse(cells: Iterable[str]) -> list[str]:
    """Cells that no spreadsheet runs."""
    return ["'" + cell if _FORMULA.match(cell) else cell for cell in cells]


def restore(cells: Iterable[str]) -> list[str]:
    """The cells that `defuse` was given."""
    return [cell[1:] if _DEFUSED.match(cell) else cell for cell in cells]
