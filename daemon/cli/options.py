"""What the arguments of several commands are made of."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    Commands = _SubParsersAction[ArgumentParser]

DEFAULT_URL = "http://127.0.0.1:8080"


def command(commands: Commands, name: str, about: str, *notes: str) -> ArgumentParser:
    """A command with its help; `notes` are lines below it."""
    return commands.add_parser(
        name,
        help=about,
        description=f"{about[:1].upper()}{about[1:]}.",
        epilog="\n".join(notes),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def url_option(parser: Any) -> None:
    """Which daemon is asked."""
    parser.add_argument("--url", help=f"address of the daemon ({DEFAULT_URL})")


def key_option(parser: ArgumentParser) -> None:
    """With which key it is asked."""
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        type=Path,
        help="file with the API key, if one is needed; else TRIAGED_API_KEY in the environment",
    )


def json_form(parser: Any, about: str) -> None:
    """Output for programs."""
    parser.add_argument("--json", action="store_true", help=about)
