"""Masking of values whose name says that they are secret: ``password=x``, ``"token": "x"``, headers.

Names and operators are found first and values read from there, so that a harmless assignment never
hides a secret one inside its value, and each character is looked at a bounded number of times.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MASK = "***"

_NAME = re.compile(
    r"(?<![\w-])(?P<name>[A-Za-z_][\w-]*+(?:[ ](?i:key|token|string|phrase)\b)?+)"
    r"(?P<quote>\\?[\"'])?\]?+"
    r"(?P<operator>\s{0,4}(?:=>|:=|==?|:)\s{0,4}|>|\s{1,4}(?:is |was |of )?(?=[\"'`]))(?=[^\s,;)}\]>])"
)
_PASSWORD = re.compile(r"pass(?:word|wd|phrase|code|$)|pwd|_pass$|^pw$", re.IGNORECASE)
_SECRET = re.compile(
    r"secret|credential|(?:api|app|auth|access|private|account|shared|encryption|signing|master|"
    r"license|subscription)[-_ ]?key|shared_?access_?signature|(?:access|refresh|id|auth|bearer|session|"
    r"security|csrf|xsrf|api|oauth|bot)[-_ ]?token|session[-_]?id|connection[-_ ]?string|hmac|otp$",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]*(?:key|token|auth|signature)", re.IGNORECASE
)
_WEAK = re.compile(r"(?:^|[-_a-z])(?:token|signature|sig|nonce|auth|jwt|sid|pin)$", re.IGNORECASE)
_IN_QUERY = re.compile(
    r"key|code|state|hash|sig|sv|x-(?:amz|goog)-(?:signature|credential|security-token)",
    re.IGNORECASE,
)

_QUOTED = r"\\\"(?:(?!\\\").)*+(?:\\\")?|\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?|`[^`]*+`?"
_VALUE = re.compile(rf"{_QUOTED}|(?:(?:Bearer|Basic|Token)[ ]+)?[^\s,;&\"'<>)}}\]]++", re.DOTALL)
_HEADER_VALUE = re.compile(
    rf"{_QUOTED}|\*\*\*(?![^\s\"',;)}}])"
    r"|(?i:Bearer|Basic|Token|Negotiate|ApiKey)[ \t]+[^\s\"'<>,;)}]++|[^\r\n\"'}]++",
    re.DOTALL,
)
_OPENING = re.compile(r"\\?[\"'`]")
_OPAQUE = re.compile(r"\d|=$|[a-z][A-Z]|[+/]")


def opaque(value: str) -> bool:
    """Whether it looks like a token rather than a word of a sentence."""
    return len(value) >= 6 and _OPAQUE.search(value) is not None


def mask_assignments(text: str) -> str:
    """The text with each secret value replaced, its name and its quotes kept."""
    pieces: list[str] = []
    done = 0
    for match in _NAME.finditer(text):
        if match.start() < done:
            continue
        value = _secret_value(_Assignment.of(match, text))
        if value:
            opening = _OPENING.match(value[0])
            quote = opening[0] if opening else ""
            pieces += (text[done : match.end()], quote, MASK, quote)
            done = value.end()
    return "".join((*pieces, text[done:])) if pieces else text


class _Assignment(NamedTuple):
    text: str
    name: str
    end: int
    """Where the value begins."""
    in_query: bool
    spoken: bool
    """Written as in a sentence (``secret: not found``), so that the value may be a mere word."""

    @classmethod
    def of(cls, match: re.Match[str], text: str) -> _Assignment:
        start, operator = match.start(), match["operator"]
        return cls(
            text=text,
            name=match["name"],
            end=match.end(),
            in_query=start > 0 and text[start - 1] in "?&;" and operator == "=",
            spoken=not match["quote"] and operator[-1:].isspace() and "=" not in operator,
        )


def _secret_value(assignment: _Assignment) -> re.Match[str] | None:
    """The value when it has to be masked."""
    name = assignment.name
    if _HEADER.fullmatch(name):
        return _HEADER_VALUE.match(assignment.text, assignment.end)
    value = _VALUE.match(assignment.text, assignment.end)
    if value is None:
        return None
    if _PASSWORD.search(name) or (assignment.in_query and _IN_QUERY.fullmatch(name)):
        return value
    if _SECRET.search(name) or _WEAK.search(name):
        return value if not assignment.spoken or opaque(value[0]) else None
    return None
