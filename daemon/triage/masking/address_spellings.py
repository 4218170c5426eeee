"""Masking of e-mail addresses that are not written as one: encoded words, IMAP envelopes, "at" and "dot"."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from quopri import decodestring

from daemon.triage.masking.addresses import MASK, mask_addresses
from daemon.triage.masking.masker import Masker

_WORD = r"=\?[^?\s]{1,40}\?(?P<form>[BbQq])\?(?P<text>[^?\s]{0,1024})\?="
_ENCODED_WORDS = re.compile(
    rf"{_WORD.replace('?P<form>', '').replace('?P<text>', '')}(?:\s{{1,4}}=\?[^?\s]{{1,40}}\?[BbQq]\?[^?\s]{{0,1024}}\?=)*+"
)
_ONE = re.compile(_WORD)
_ENVELOPE = re.compile(
    r"\((?P<name>NIL|\\?\"[^\"\n]{0,256}\") (?:NIL|\\?\"[^\"\n]{0,256}\") \\?\"[^\"\n]{1,128}\" \\?\"[\w.-]{1,255}\\?\"\)"
)
_TOP_LEVELS = (
    "com|org|net|edu|gov|info|io|eu|uk|de|fr|nl|es|it|pl|ch|at|se|ca|au|in|br|jp|us|example"
)
_AT = r"(?:\s{0,4}[\[({<]\s{0,2}(?i:at|@)\s{0,2}[\])}>]\s{0,4})"
_DOT = r"(?:\s{0,4}[\[({<]\s{0,2}(?i:dot|\.)\s{0,2}[\])}>]\s{0,4}|\s{1,4}(?i:dot)\s{1,4})"
_SPELLED = re.compile(
    rf"(?<![\w.+-])(?:[\w+-]|\.(?=\w)){{1,64}}+(?:{_DOT}[\w+-]{{1,64}}){{0,4}}"
    rf"(?:{_AT}[\w-]{{1,63}}(?:(?:{_DOT}|\.)[\w-]{{1,63}}){{1,5}}"
    rf"|\s{{1,4}}(?i:at)\s{{1,4}}[\w-]{{1,63}}(?:{_DOT}[\w-]{{1,63}}){{0,4}}{_DOT}(?i:{_TOP_LEVELS})\b)"
)


def _encoded_words(match: re.Match[str]) -> str:
    """Masks those that hold an address once decoded; one address may be spread over several."""
    decoded = "".join(_decoded(word) for word in _ONE.finditer(match[0]))
    return match[0] if mask_addresses(decoded) == decoded else MASK


def _decoded(word: re.Match[str]) -> str:
    raw = word["text"].encode(errors="replace")
    if word["form"] in "Bb":
        try:
            raw = b64decode(raw + b"=" * (-len(raw) % 4))
        except (Error, ValueError):
            return ""
    else:
        raw = decodestring(raw, header=True)
    # What matters is ASCII in nearly every character set; the rest need not be read.
    return raw.decode("utf-8", "replace")


SPELLINGS = (
    Masker(r"=\?[^? ]+\?[BbQq]\?", lambda text: _ENCODED_WORDS.sub(_encoded_words, text)),
    Masker(r'(NIL|") (NIL|\\?"[^"\n]*") \\?"', lambda text: _ENVELOPE.sub(f"({MASK})", text)),
    Masker(
        r"(?i)[\[({<]\s?(at|@)\s?[\])}>]|\sat\s+[\w-]+\s*([\[({<]\s?)?dot\b|\sdot\s.*\sat\s",
        lambda text: _SPELLED.sub(MASK, text),
    ),
)
