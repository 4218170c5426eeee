"""The arguments of the commands that look after the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.options import command, config, where

if TYPE_CHECKING:
    from daemon.cli.options import Commands


def add_store_commands(commands: Commands) -> None:
    """`check-store` and `backup`."""
    _check_store(commands)
    _backup(commands)


def _check_store(commands: Commands) -> None:
    parser = command(
        commands,
        "check-store",
        "read all of the store, and say whether anything that it had is missing",
        "For a store that no daemon has open. Exit codes: 0 all is there, 2 mistakes in the configuration,",
        "3 it cannot be read or lacks something.",
        "",
        "example:  triaged check-store --config triaged.toml",
    )
    parser.add_argument(
        "--accept-loss",
        action="store_true",
        help="let the next start go on without what is missing",
    )
    config(parser)


def _backup(commands: Commands) -> None:
    parser = command(
        commands,
        "backup",
        "write one file of the whole store, also while the daemon runs",
        "Asks the daemon that runs, with a key that may administer, or copies the store of one that does not.",
        "",
        "example:  triaged backup /backups/triaged.duckdb --config triaged.toml",
    )
    parser.add_argument("target", metavar="TARGET", type=Path, help="a file that is not there yet")
    where(parser, "the configuration of the daemon, or of the store of one that does not run")
