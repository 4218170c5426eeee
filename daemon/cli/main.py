"""Finds the command, runs it, and turns every expected error into a sentence and an exit code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from enum import IntEnum
from importlib import import_module

from daemon.cli.arguments import make_parser
from daemon.errors import ConfigError, StoreError, TriagedError


class Exit(IntEnum):
    """What the exit code of `triaged` says."""

    SUCCESS = 0
    FAILURES = 1
    """Something failed, or input had mistakes."""
    CONFIG = 2
    """The configuration or the command line has mistakes."""
    STORE = 3
    """The store cannot be used."""
    ADDRESS = 4
    """The address to listen on cannot be had."""
    UNREACHABLE = 5
    """No daemon answers, or it refuses to."""
    INTERRUPTED = 130
    """Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `triaged` with `argv` and returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return Exit.SUCCESS
    try:
        code = _run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()
        return Exit.SUCCESS
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def _run(args: Namespace) -> int:
    """Only the chosen command's module is imported: `serve` must not carry what `watch` needs."""
    try:
        command = import_module(f"daemon.cli.{args.command.replace('-', '_')}")
        return int(command.run(args))
    except ConfigError as error:
        return complain(Exit.CONFIG, *map(str, error.problems))
    except StoreError as error:
        return complain(Exit.STORE, str(error))
    except TriagedError as error:
        return complain(getattr(error, "exit_code", Exit.CONFIG), str(error))


def complain(code: Exit, *sentences: str) -> Exit:
    """Says on standard error what is wrong, a line each; returns `code`."""
    sys.stdout.flush()
    for sentence in sentences:
        print(f"triaged: {sentence}", file=sys.stderr)
    return code


def tell(say: Callable[[], None]) -> None:
    """Says something, or nothing where the reader has gone (`| head`): what is told about goes on, and its end counts."""
    try:
        say()
    except BrokenPipeError:
        _close_stdout()


def leave(code: int) -> None:
    """Ends the process at once, so that no thread that hangs in a pipeline can keep it alive."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _close_stdout() -> None:
    """Lets Python end quietly after the reader of our output (`| head`) has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
