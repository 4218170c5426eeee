"""The `triaged` command."""

from daemon.cli.main import main

__all__ = ["main"]
