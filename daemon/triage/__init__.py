"""Triage: what an error is, whether retrying helps, what to do, and which others are like it.

The rest of triaged uses this package through three names: `describe` gathers the facts of an error,
`Triage.assess` understands it, `Assessment` is the answer.
"""

# daemon.events needs the taxonomy from this package, so modules here import `events` as a module
# and look inside it only when called.
from __future__ import annotations

from daemon.triage.assessment import Assessment
from daemon.triage.facts import describe
from daemon.triage.triage import Triage

__all__ = ["Assessment", "Triage", "describe"]
