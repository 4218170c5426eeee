"""The SQL of the store, kept in .sql files: each statement has a name and a line that says what it is.

What is put together when it runs is put together of these: a statement names in braces what it leaves open.
"""

from __future__ import annotations

import re
from importlib import resources

_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)


def read_statements(package: str) -> dict[str, str]:
    """The statements in the .sql files of a package, by name."""
    statements: dict[str, str] = {}
    for file in resources.files(package).iterdir():
        if file.name.endswith(".sql"):
            parts = re.split(r"^-- name: (\w+)\n", file.read_text("utf-8"), flags=re.MULTILINE)
            names, bodies = parts[1::2], parts[2::2]
            statements |= {
                name: _COMMENT.sub("", body).strip().rstrip(";")
                for name, body in zip(names, bodies, strict=True)
            }
    return statements


SQL = read_statements(__name__)
"""The statements of the store itself. Those of a ledger are in its own folder."""


def query(name: str, **parts: str) -> str:
    """A statement, completed by what it names in braces. Values from outside are parameters, never parts."""
    sql = SQL[name]
    for part, text in parts.items():
        sql = sql.replace(f"{{{part}}}", text)
    return sql
