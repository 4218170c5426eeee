"""Where a command finds what it is about: a daemon's address, or a configuration."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from daemon.cli.options import DEFAULT_URL
from daemon.config.places import config_in_environment, url_in_environment
from daemon.config.values import Listen

_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 looked up, not listened on


def url_of(address: Listen) -> str:
    """The base URL, on this machine when the daemon listens on all addresses."""
    return f"http://{Listen(_EVERY.get(address.host, address.host), address.port)}"


def config_of(args: Namespace) -> Path | None:
    """The configuration that the command line or the environment names, if one does."""
    named: Path | None = args.config
    return named or config_in_environment()


def place_of(args: Namespace) -> str | Path:
    """The address of a daemon, or the file of a configuration.

    What is on the command line counts before the environment, and without either it is the daemon at
    the usual address.
    """
    config: Path | None = getattr(args, "config", None)
    url: str | None = args.url
    if url is not None or config is not None:
        return url or config or ""
    return url_in_environment() or config_in_environment() or DEFAULT_URL
