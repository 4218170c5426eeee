"""Whether the daemon is well: what /healthz and /readyz answer."""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from msgspec.structs import replace

from daemon.access.keyring import Keyring
from daemon.clock import Clock
from daemon.store.writer import Trouble, Writer
from daemon.version import VERSION


class Check(msgspec.Struct, frozen=True):
    """One thing that must work."""

    name: str
    ok: bool
    message: str
    needed: bool = True
    """Whether the daemon is of no use without it; else only what it says is doubtful."""


class Health(msgspec.Struct, frozen=True):
    """The state of the daemon."""

    status: Literal["ok", "degraded", "stopping"]
    version: str
    """With its commit, where that is known."""
    checks: list[Check]
    pending_events: int
    """Events that wait to be stored."""


def health_of(
    writer: Writer,
    keyring: Keyring,
    clock: Clock,
    clock_problem: str | None,
    *,
    stopping: bool,
) -> Health:
    """How a daemon of these parts is."""
    checks = [
        Check("store", writer.trouble is None, _store(writer.trouble, clock)),
        Check(
            "scheduler",
            not stopping,
            "the daemon is stopping" if stopping else "cycles are scheduled",
        ),
        Check("keys", keyring.problem is None, keyring.problem or "the keys can be read"),
        Check(
            "clock",
            clock_problem is None,
            clock_problem or "the clock fits to what is stored",
            needed=False,
        ),
    ]
    checks = [replace(check, message=_named_only(check.message)) for check in checks]
    well = all(check.ok for check in checks)
    status: Literal["ok", "degraded", "stopping"]
    status = "stopping" if stopping else "ok" if well else "degraded"
    return Health(status, VERSION, checks, writer.pending)


_FOLDERS = re.compile(r"(?<![\w:/.])/(?:[^/\s\"']+/)+")


def _named_only(text: str) -> str:
    """Files without their folders: whoever asks for health needs no key."""
    return _FOLDERS.sub("", text)


def _store(trouble: Trouble | None, clock: Clock) -> str:
    if trouble is None:
        return "the store can be written"
    seconds = round(clock.monotonic() - trouble.since)
    return f"the store cannot be written since {seconds} s: {trouble.message}"
