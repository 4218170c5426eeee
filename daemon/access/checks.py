"""What a daemon does not start with: keys that cannot be read, or an open door without any."""

from __future__ import annotations

from collections.abc import Collection

from daemon.access.keys_file import KeysFile, KeysFileDamaged
from daemon.errors import Problem


def key_problems(
    file: KeysFile, configured: Collection[str], listen: str, *, loopback: bool
) -> list[Problem]:
    """What is wrong with the keys, or with having none where others than this machine may ask.

    `configured` are the names of the keys that the configuration has.
    """
    try:
        stored = {key.name for key in file.read() if key.revoked is None}
    except KeysFileDamaged as error:
        return [Problem("server.keys_file", str(error))]
    problems = [
        Problem("server.keys", f"the keys file has a key named {name} too; expected another name")
        for name in configured
        if name in stored
    ]
    if not configured and not stored and not loopback:
        expected = "can be reached from other machines; expected a key, or 127.0.0.1"
        problems.append(
            Problem("server.listen", f"{listen} {expected}. `triaged token create` makes a key")
        )
    return problems
