"""One secret and the ways in which it may be written: quoted, escaped, percent-encoded, in base64 or hex."""

from __future__ import annotations

import re
from base64 import b64encode
from itertools import groupby

from daemon.triage.masking.masker import MASK

SHORTEST_SURE = 4
"""Characters. What is shorter is in too many words to be taken for the secret within one."""
_FEWEST_HEX, _FEWEST_BASE64 = 8, 5
"""Digits, likewise."""
_ESCAPE = r"(?:\\|%(?:25)*5c|=5c)"
"""A backslash in any notation, of which each level of quoting adds some."""
_LIKE_ESCAPE = re.compile("[%=]5c", re.IGNORECASE)
_NAMES = {
    '"': "&quot;",
    "'": "&apos;",
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "\t": "t",
    "\n": "n",
    "\r": "r",
    "\xa0": "&nbsp;",
}
_BLANK = r"(?:\s|\+|_|%(?:25)*20|=20)"
_DIGITS = r"A-Za-z0-9+/=_\-"
_BETWEEN_BYTES = r"[\s:.,-]{0,2}(?:0x|\\x)?"


class SecretText:
    """Finds a secret in texts. Time is linear in the text whatever it holds."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        spelled = _spelled(secret)
        if len(secret) < SHORTEST_SURE:
            spelled = rf"(?:(?<![a-z0-9])|(?<=%[0-9a-f][0-9a-f])){spelled}(?![a-z0-9])"
        self._patterns = [re.compile(spelled, re.IGNORECASE)]
        if len(digits := secret.encode("utf-8", "surrogateescape").hex()) >= _FEWEST_HEX:
            self._patterns.append(re.compile(_in_hex(digits), re.IGNORECASE))
        self._patterns += [re.compile(pattern) for pattern in _in_base64(secret)]

    def conceal(self, text: str) -> str:
        """The text with a mask in place of the secret."""
        if len(self._secret) >= SHORTEST_SURE:
            text = text.replace(self._secret, MASK)
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        return self._without_beginning(text)

    def _without_beginning(self, text: str) -> str:
        """A text that was cut may end in the middle of the secret."""
        for length in range(min(len(self._secret) - 1, len(text)), SHORTEST_SURE - 1, -1):
            if text.endswith(self._secret[:length]):
                return text[:-length] + MASK
        return text


def _spelled(secret: str) -> str:
    """Character by character, each as it is or escaped in some way."""
    # Without going back, unless the secret itself holds what an escape looks like.
    going_back = "" if _LIKE_ESCAPE.search(secret) else "+"
    some = f"{_ESCAPE}*{going_back}"
    parts: list[str] = []
    backslashes = 0
    for kind, run in groupby(secret, _kind):
        characters = list(run)
        if kind == "backslash":
            backslashes = len(characters)
            continue
        ways = [_character(c) for c in characters]
        if kind == "blank":  # of several a line of text keeps one
            ways = [f"(?:{some}(?>{_BLANK}|{'|'.join(dict.fromkeys(ways))})){{1,{len(ways)}}}"]
        # Before the first there is nothing to be escaped from: a search begins at fewer places.
        before = f"{_ESCAPE}{{{backslashes},}}{going_back}" if parts or backslashes else ""
        parts.append(before + some.join(ways))
        backslashes = 0
    return "".join(parts) + (f"{_ESCAPE}{{{backslashes},}}" if backslashes else "")


def _kind(character: str) -> str:
    if character == "\\":
        return "backslash"
    return "blank" if character.isspace() else "other"


def _character(character: str) -> str:
    """No two ways match the same text: where they did, a search could take for ever."""
    code, utf8 = ord(character), character.encode("utf-8", "surrogateescape")
    ways = [re.escape(character), rf"u{{?0*{code:x}}}?", f"&#0*{code};", f"&#x0*{code:x};"]
    ways.append("".join(rf"(?:%(?:25)*|=|\\*x){byte:02x}" for byte in utf8))
    if len(character.upper()) > 1:  # others are found in any case as they are
        ways.append(re.escape(character.upper()))
    if 128 <= code < 256:
        ways.append(f"(?:%(?:25)*|=|x){code:02x}")
    elif code >= 256:
        utf16 = character.encode("utf-16-be", "surrogatepass").hex()
        ways.append(r"\\*".join(f"u{utf16[n : n + 4]}" for n in range(0, len(utf16), 4)))
    if not character.isascii():
        ways.append(re.escape(utf8.decode("latin-1")))
    if name := _NAMES.get(character):
        ways.append(name)
    return f"(?:{'|'.join(ways)})"


def _in_hex(digits: str) -> str:
    return _BETWEEN_BYTES.join(digits[n : n + 2] for n in range(0, len(digits), 2))


def _in_base64(secret: str) -> list[str]:
    """At each of the three places that it can have among what is encoded with it, as UTF-8 or UTF-16."""
    return [
        r"\s*".join(map(_digit, core)) + f"[{_DIGITS}]*"
        for data in (
            secret.encode("utf-8", "surrogateescape"),
            secret.encode("utf-16-le", "replace"),
        )
        for shift in range(3)
        if len(core := _core(data, shift)) >= _FEWEST_BASE64
    ]


def _core(data: bytes, shift: int) -> str:
    """The digits that depend on nothing but `data`, when so many bytes come before it."""
    digits = b64encode(bytes(shift) + data).decode().rstrip("=")
    first = (0, 2, 3)[shift]
    whole = (shift + len(data)) * 8 // 6
    return digits[first:whole]


def _digit(digit: str) -> str:
    return {"+": "[+-]", "/": "[/_]"}.get(digit, digit)
