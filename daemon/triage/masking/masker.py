"""What every masker of secrets is made of.

Every pattern is bounded or possessive, so that the time is linear in the text whatever it holds. Each
comes with a cue: the text is searched for all cues at once, and only maskers whose cue is there
run at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

MASK = "***"

START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])|(?<=\\u00[0-9a-fA-F][0-9a-fA-F]))"
"""Where a word may begin: also after an escaped line break and after an encoded character."""
_OPAQUE = re.compile(r"\d|=$|[a-z][A-Z]|[+/]|^[^\s.,:_-]{20}")
_LOOKED_AT = 128


class Masker(NamedTuple):
    """One way in which a text may hold a secret."""

    cue: str
    """RE2 pattern without which `mask` changes nothing."""
    mask: Callable[[str], str]


def opaque(value: str) -> bool:
    """Whether it looks like a token rather than a word of a sentence."""
    return len(value) >= 6 and _OPAQUE.search(value, 0, _LOOKED_AT) is not None


def after_prefix(match: re.Match[str]) -> str:
    """Masks all but the first group."""
    return match[1] + MASK


def when_opaque(match: re.Match[str]) -> str:
    """Masks the second group where it looks like a token."""
    return match[1] + MASK if opaque(match[2]) else match[0]


def shape(cue: str, pattern: str, replace: Callable[[re.Match[str]], str] = after_prefix) -> Masker:
    """A masker that replaces what a regular expression finds."""
    compiled = re.compile(pattern, re.DOTALL)
    return Masker(cue, lambda text: compiled.sub(replace, text))
