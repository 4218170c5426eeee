"""Messages that differ only in their digits: what stays true of all of them, so that it is found once.

A message's *shape* is the message with every digit made the same. An expression that names no digit, but
only "any digit" or "anything", matches a message just when it matches its shape. One that names digits
(``\\b429\\b``) has a relaxed form with "any digit" in their place: where that does not match the shape, the
expression matches no message of that shape. What is not understood is taken for "anything", which is safe.
"""

from __future__ import annotations

import re

_SAME_DIGIT = str.maketrans("123456789", "000000000")
_TOKEN = re.compile(
    r"(?P<digit>[0-9])|\\x(?:\{(?P<braced>[0-9a-fA-F]+)\}|(?P<hex>[0-9a-fA-F]{2}))"
    r"|(?P<odd>\\[0-7]{1,3})|\\[pP](?:\{[^}]*\}|.)|\\.|\{\d+(?:,\d*)?\}|\(\?P?<\w+>"
    r"|\[(?P<set>\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*)\]",
    re.DOTALL,
)
_DIGIT_CODES = range(ord("0"), ord("9") + 1)
_THE_DIGIT, _ANYTHING = "0", r"[\s\S]"
_ALL_DIGITS = re.compile(r"0-9|\\d")
_SOME_DIGITS = re.compile(r"[0-9-]+")
_NAMES_DIGIT = re.compile(r"[0-9]|\\x")
_LITERAL_TEXT = r"\Q"


def shape(text: str) -> str:
    """The text with each ASCII digit replaced by the same one: it has the same length."""
    return text.translate(_SAME_DIGIT)


def relaxed(expression: str) -> str | None:
    """An expression that matches the shape of every text that the RE2 expression matches.

    None when it names no digits: it is its own relaxed form then, and matches nothing else.
    """
    if not _NAMES_DIGIT.search(expression):
        return None
    if _LITERAL_TEXT in expression:
        return ""
    if all(_relaxed_token(token) is None for token in _TOKEN.finditer(expression)):
        return None
    return _TOKEN.sub(lambda token: _relaxed_token(token) or token[0], expression)


def _relaxed_token(token: re.Match[str]) -> str | None:
    """What stands for the token; None where it treats all digits alike."""
    if token["digit"]:
        return _THE_DIGIT
    if code := token["braced"] or token["hex"]:
        return _THE_DIGIT if int(code, 16) in _DIGIT_CODES else None
    if token["odd"]:
        return _ANYTHING
    return None if token["set"] is None else _relaxed_set(token["set"])


def _relaxed_set(characters: str) -> str | None:
    """A class of all digits or none treats them alike; any other one does not."""
    others = _ALL_DIGITS.sub("", characters)
    if not _NAMES_DIGIT.search(others):
        return None
    return _THE_DIGIT if _SOME_DIGITS.fullmatch(others) else _ANYTHING
