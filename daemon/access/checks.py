"""What a daemon does not start with: keys that cannot be read, or an open door without any."""

from __future__ import annotations

from collections.abc import Collection

from daemon.access.keys_file import KeysFile, KeysFileDamaged
from daemon.errors import Problem


def key_problems(
    file: KeysFile, configured: Collection[str], listen: str, *, loopback: bool, hosts: bool = False
) -> list[Problem]:
    """What is wrong with the keys, or with having none where others than this machine may ask.

    `configured` are the names of the keys that the configuration has; `hosts` is whether others than this
    machine come through a proxy that signs nobody in.
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
    elif not configured and not stored and hosts:
        expected = "lets in whoever comes through a proxy, as an administrator; expected a key, or server.proxy"
        problems.append(Problem("server.hosts", f"{expected}. `triaged token create` makes a key"))
    return problems
