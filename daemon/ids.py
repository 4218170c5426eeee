"""Ids of runs, cycles and operations."""

from __future__ import annotations

import secrets

from daemon.clock import Clock


def new_id(clock: Clock) -> str:
    """An id that sorts by time and says when: ``20261122T040156123-3f9a2c1b``."""
    now = clock.now()
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}-{secrets.token_hex(4)}"
