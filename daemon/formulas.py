"""Cells of CSV that a spreadsheet would run as a formula: defused where they are written, restored where they are read.

Defusing puts an apostrophe before a cell that starts with ``=``, ``+``, ``-``, ``@``, their fullwidth forms, a
tab, a carriage return or a line feed (OWASP, "CSV Injection"). A cell that starts with apostrophes and then one of those gets one more, so
that no two cells become the same and restoring gives back exactly what there was.
"""

from __future__ import annotations

import re

FULLWIDTH = "\uff0b\uff0d\uff1d\uff20"
"""The fullwidth forms of the signs, in the order of texts: behind the letters of most scripts."""
PATTERN = rf"^'*[=+\-@\t\r\n{FULLWIDTH}]"
"""What is defused, to Python and to RE2, which DuckDB uses."""

_FORMULA = re.compile(PATTERN)


def defuse(cell: str) -> str:
    """A cell that no spreadsheet runs."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def restore(cell: str) -> str:
    """The cell that `defuse` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
