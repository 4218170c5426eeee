"""Whether the daemon is well: what /healthz and /readyz answer."""

from __future__ import annotations

from typing import Literal

import msgspec


class Check(msgspec.Struct, frozen=True):
    """One thing that must work."""

    name: str
    ok: bool
    message: str


class Health(msgspec.Struct, frozen=True):
    """The state of the daemon."""

    status: Literal["ok", "degraded", "stopping"]
    version: str
    checks: list[Check]
    pending_events: int
    """Events that wait to be stored."""
