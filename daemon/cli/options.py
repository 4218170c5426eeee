"""Arguments that several commands share."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.config.places import CONFIG_VARIABLE, URL_VARIABLE, config_in_environment

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    Commands = _SubParsersAction[ArgumentParser]

DEFAULT_URL = "http://127.0.0.1:8080"

ANY = "all"
"""For a status or state: whatever it is."""
STORE = "read the store that this configuration names, or ask the daemon that has it"


def command(commands: Commands, name: str, about: str, *notes: str) -> ArgumentParser:
    """A command, or an action of one."""
    return commands.add_parser(
        name,
        help=about,
        description=f"{about[:1].upper()}{about[1:]}.",
        epilog="\n".join(notes),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def time_range(parser: ArgumentParser) -> None:
    """From when to when."""
    when = "a time such as 2026-11-20T08:00, or how long ago, such as 90m, 2h or 7d"
    parser.add_argument("--since", metavar="TIME", help=f"from then on: {when}")
    parser.add_argument("--until", metavar="TIME", help="before then")


def limit(parser: ArgumentParser, things: str, default: str = "20; CSV: all") -> None:
    """How many at most."""
    parser.add_argument(
        "--limit", metavar="N", type=positive, help=f"how many {things} at most ({default})"
    )


def positive(text: str) -> int:
    """A whole number above zero."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**9:
        raise ArgumentTypeError("expected a whole number above zero")
    return int(text)


def reading(parser: ArgumentParser) -> None:
    """Where to read, and in which form to show it."""
    forms = parser.add_mutually_exclusive_group()
    json(forms, "JSON Lines")
    forms.add_argument("--csv", action="store_true", help="CSV")
    where(parser, STORE)


def where(parser: ArgumentParser, about: str = "") -> None:
    """A running daemon, by its address or its configuration; `about` says what else that is for."""
    places = parser.add_mutually_exclusive_group()
    url(places)
    about = about or "the configuration of the daemon, which says where it listens"
    places.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help=f"{about} ({CONFIG_VARIABLE} in the environment)",
    )
    key(parser)


def url(parser: Any) -> None:
    """Which daemon."""
    about = f"address of the daemon ({URL_VARIABLE} in the environment; else {DEFAULT_URL})"
    parser.add_argument("--url", help=about)


def key(parser: ArgumentParser) -> None:
    """The API key."""
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        type=Path,
        help="file with the API key, if one is needed; else TRIAGED_API_KEY in the environment",
    )


def config(parser: Any, about: str = "the configuration") -> None:
    """The configuration, for commands that cannot do without."""
    given = config_in_environment()
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        required=not given,
        default=given,
        help=f"{about} ({CONFIG_VARIABLE} in the environment)",
    )


def json(parser: Any, about: str) -> None:
    """Output for programs."""
    parser.add_argument("--json", action="store_true", help=about)
