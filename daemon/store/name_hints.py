"""What to say of a name that nothing has."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from daemon.store.report_values import MOST_VALUES

_SHOWN = 20


def hint(name: str, names: Sequence[str]) -> str | None:
    """Which names may be meant, and which there are; None if `name` is one of `names`, or there are too many to tell."""
    if name in names or len(names) >= MOST_VALUES:
        return None
    alike = get_close_matches(name, names, n=3)
    meant = f"did you mean {' or '.join(alike)}? " if alike else ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{meant}there are: {', '.join(names[:_SHOWN]) or 'none'}{more}"
