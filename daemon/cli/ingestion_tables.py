"""Ingestions, their files and rejected rows, as they look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.table import Table

from api.rejected import RejectedRow
from api.schemas.ingestions import FileDetail, Ingestion
from daemon.cli.terminal import (
    cell,
    entry,
    in_line,
    local,
    make_table,
    number,
    shortened,
    status_cell,
)


def ingestions_table(ingestions: Iterable[Ingestion]) -> Table:
    """A line each, with its files by how they stand."""
    numbers = ("Files", "Failed", "Partial", "Set aside", "Ignored", "Rejected rows")
    table = make_table("Ingestion", *numbers, "Reads", right=numbers, fixed=("Ingestion",))
    for one in ingestions:
        badge = one.badge
        counts = (badge.files, badge.failed, badge.partial, badge.quarantined, badge.ignored)
        table.add_row(
            cell(one.name, "bold"),
            *map(number, (*counts, badge.rows_rejected)),
            cell(f"{one.files}{'' if one.enabled else ' (disabled)'}"),
        )
    return table


def files_table(files: Iterable[FileDetail]) -> Group:
    """Each file by the path that other commands take, with what is the matter."""
    return Group(
        *(
            entry(
                in_line(
                    cell(file.path, "bold"),
                    status_cell(file.status),
                    cell(file.category),
                    cell("retryable" if file.retryable else ""),
                ),
                in_line(
                    cell(f"{number(file.rows_loaded)} rows loaded"),
                    cell(f"{number(file.rows_rejected)} rejected" if file.rows_rejected else ""),
                    cell(f"tried {local(file.last_attempt)}"),
                ),
                cell(file.user_message),
                cell(f"→ {file.suggested_action}" if file.suggested_action else "", "cyan"),
            )
            for file in files
        )
    )


def rejected_table(rows: Iterable[RejectedRow]) -> Group:
    """Each row as it stands in its file, with why it was set aside."""
    return Group(
        *(
            entry(
                in_line(
                    cell(f"{row.path}:{row.row_number}", "bold"),
                    cell(row.category),
                    cell(f"cause {row.cause}"),
                ),
                cell(row.reason),
                cell(shortened(row.raw), "dim"),
            )
            for row in rows
        )
    )
