"""What a text says about when to try again: "retry after 30 seconds", "Please try again in 7.5s"."""

from __future__ import annotations

import re

LONGEST = 86_400.0
"""Seconds. What is said to take longer is a plan or a ban, not a pause."""

_CUES = ("retry", "again", "wait", "reset")
"""Looked for first: most texts hold none, and that is told at once."""
_CUE = re.compile(r"retry|again|wait|resets?\b", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_AMOUNT = (
    r"(\d{1,9}(?:\.\d{1,9})?)(?![\d/:-])"
    r"(?: ?(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z]))?"
)
_HINT = re.compile(
    r"(?:retry[-_ ]?(?:after|in|delay)|(?:try|retry)(?: \w+){0,3} again (?:after|in)|try again (?:after|in)"
    r"|wait(?:ing)?(?: (?:of|for|at least|another|about|approximately)){0,2}|available (?:again )?in|resets? (?:after|in))"
    r"(?:[_ ](?:seconds?|ms))?[\"']?[:=]?[ \"']{0,2}(?:about |approximately |at least )?" + _AMOUNT,
    re.IGNORECASE,
)
_FURTHER = re.compile(r"[ ,]{0,2}(?:and )?" + _AMOUNT, re.IGNORECASE)


def retry_hint(text: str) -> float | None:
    """Seconds that the text asks to wait; None when it does not say."""
    lowered = text.lower()
    if not any(cue in lowered for cue in _CUES) or not _CUE.search(text):
        return None
    found = _HINT.search(text)
    if found is None:
        return None
    milliseconds = "_ms" in found[0].lower()
    seconds = _seconds(found, 0.001 if milliseconds else 1.0)
    if found[2] and (further := _FURTHER.match(text, found.end())) and further[2]:
        seconds += _seconds(further, 1.0)  # "1 minute 30 seconds", "7m12s"
    return seconds if seconds <= LONGEST else None


def _seconds(found: re.Match[str], without_unit: float) -> float:
    unit = (found[2] or "").lower()
    if not unit:
        return float(found[1]) * without_unit
    scale = _UNITS["ms"] if unit.startswith(("ms", "milli")) else _UNITS[unit[0]]
    return float(found[1]) * scale
