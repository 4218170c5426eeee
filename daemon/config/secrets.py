"""Where secrets come from: environment variables and files. The file of the configuration holds none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from daemon.durable import open_regular, read_regular
from daemon.errors import CredentialsMissing


class Secrets:
    """Looks secrets up when they are asked for, so that a file may change while the daemon runs."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    def __repr__(self) -> str:
        return "Secrets()"

    def read(self, env: str | None, file: str | None, base: Path) -> str:
        """The secret in the variable `env`, or in `file` below `base`. Raises `CredentialsMissing`."""
        value, wrong = resolve_secret(env, file, base, self._environ)
        if wrong:
            raise CredentialsMissing(wrong)
        return value


def resolve_secret(
    env: str | None,
    file: str | None,
    base: Path,
    environ: Mapping[str, str],
    read: Callable[[Path], bytes] = read_regular,
) -> tuple[str, str | None]:
    """A secret's value, and what is wrong when it cannot be had. The value is never in the message."""
    if (env is None) == (file is None):
        return "", "expected one of an environment variable (…_env) and a file (…_file)"
    if env is not None:
        value = environ.get(env, "")
        return value, None if value else f"the environment variable {env} is not set"
    assert file is not None
    try:
        value = read(base / file).decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError):
        return "", f"the file {file} cannot be read"
    return value, None if value else f"the file {file} is empty"


def unreadable(file: Path) -> str | None:
    """Why a file that a key names cannot be read; None when it can."""
    try:
        with open_regular(file):
            return None
    except OSError as error:
        return f"the file {file} cannot be read: {error.strerror}"
