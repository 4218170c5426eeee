"""What is to be done in one run, as a message: whoever carries it out needs to ask nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from daemon.taxonomy import Trigger


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one source. It may cross a process boundary."""

    run_id: str
    pipeline: str
    source: str
    cycle_id: str
    trigger: Trigger
    source_version: str = ""
    """Which configuration the source has."""
    options: Mapping[str, Any] = {}
    """Options of the source from the configuration (own pipelines)."""
    wanted: frozenset[str] | None = None
    """The items that a person asked to be retried; None when it is all of them."""
    known: bytes = b""
    """What was done before, as the pipeline's kind packs it for itself; the core does not look at it."""
