"""What a request said, as the audit trail may keep it: no secrets, nobody's address, and not much."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import msgspec

from daemon.triage.masking.masker import MASK
from daemon.triage.masking.secret_names import Secrecy, secrecy
from daemon.truncation import clip

MOST_TEXT = 200
"""Characters of each text."""
MOST_ENTRIES = 20
"""Of a list or an object."""
MOST_DEPTH = 4
MOST = 2000
"""Characters altogether."""

Mask = Callable[[str], str]


def details_of(body: bytes, mask: Mask, known: Container[str] | None = None) -> str | None:
    """A JSON body as JSON with secrets masked, cut where it is long; None for anything else.

    Of a body that has secrets only the values of `known` fields are kept: a password in a field that
    was mistyped would not be taken for one.
    """
    try:
        said = msgspec.json.decode(body)
        if known is not None and isinstance(said, dict):
            said = {name: value if name in known else MASK for name, value in said.items()}
        shown = _shown(said, mask, MOST_DEPTH)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cut(msgspec.json.encode(shown).decode(), MOST)


def text_field(body: bytes, name: str) -> str | None:
    """A text of a JSON body; None when it has none of that name."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    value = said.get(name) if isinstance(said, dict) else None
    return value if isinstance(value, str) else None


def masked(text: str, mask: Mask) -> str:
    """The beginning of a text, without secrets; what is far behind it is not even looked at."""
    return cut(mask(clip(text, 4 * MOST_TEXT)))


def cut(text: str, most: int = MOST_TEXT) -> str:
    """The text, or its beginning with a mark that it is one."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _shown(value: Any, mask: Mask, depth: int) -> Any:
    if isinstance(value, str):
        return masked(value, mask)
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return "…"
    more = len(value) - MOST_ENTRIES
    if isinstance(value, list):
        entries = [_shown(entry, mask, depth - 1) for entry in value[:MOST_ENTRIES]]
        return [*entries, f"… {more} more"] if more > 0 else entries
    fields = {
        masked(name, mask): MASK if _is_secret(name, entry) else _shown(entry, mask, depth - 1)
        for name, entry in list(value.items())[:MOST_ENTRIES]
    }
    return fields | {"…": f"{more} more"} if more > 0 else fields


def _is_secret(name: str, value: Any) -> bool:
    """By its name, and whatever its value is; null says that none was given."""
    return value is not None and secrecy(name) is not Secrecy.NONE
