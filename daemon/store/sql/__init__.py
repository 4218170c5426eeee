"""The SQL of the store, kept in .sql files: each statement has a name and a line that says what it is."""

from __future__ import annotations

import re
from importlib import resources


def read_statements(package: str) -> dict[str, str]:
    """The statements in the .sql files of a package, by name."""
    statements: dict[str, str] = {}
    for file in resources.files(package).iterdir():
        if file.name.endswith(".sql"):
            parts = re.split(r"^-- name: (\w+)\n", file.read_text("utf-8"), flags=re.MULTILINE)
            names, bodies = parts[1::2], parts[2::2]
            statements |= {
                name: body.strip().rstrip(";") for name, body in zip(names, bodies, strict=True)
            }
    return statements


SQL = read_statements(__name__)
"""The statements of the store itself. Those of a ledger are in its own folder."""
