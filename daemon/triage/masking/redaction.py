"""Masking of everything personal or secret before a text is stored, logged or shown.

`mask` takes control characters out first, since one in the middle of a password would hide it,
then credentials, then addresses. Masking what is masked changes nothing.
"""

from __future__ import annotations

import re

import re2

from daemon.triage.masking.address_spellings import SPELLINGS
from daemon.triage.masking.addresses import mask_addresses
from daemon.triage.masking.credentials import MASKERS as CREDENTIALS
from daemon.triage.masking.masker import Masker

_CONTROL = re.compile(
    r"\x1b\[[0-?]*+[ -/]*+[@-~]"  # ANSI control sequences, such as colours
    r"|\x1b\][^\x07\x1b]{0,1024}(?:\x07|\x1b\\)"  # and titles and links of terminals
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
    r"|[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]"  # marks that reverse the reading direction
    r"|[\ud800-\udfff]"
)


MASKERS = (
    *CREDENTIALS,
    *SPELLINGS,
    Masker(r"@|\x{FF20}|\x{FE6B}|%(25)*40|u0040|\\x40|&#64;|&#x40;|&commat;", mask_addresses),
)


def _cue_set() -> re2.Set:
    options = re2.Options()
    options.never_capture = True
    cues = re2.Set.SearchSet(options)
    for masker in MASKERS:
        cues.Add(masker.cue)
    cues.Compile()
    return cues


_CUES = _cue_set()
_MOST_ROUNDS = 8
"""Masking one thing can bring another into view (``LOGIN LOGIN a b``); texts settle in two or three."""


def mask(text: str) -> str:
    """The text without addresses, passwords, tokens, keys and control characters. Idempotent."""
    text = clean(text)
    for _ in range(_MOST_ROUNDS):
        masked = _mask_once(text)
        if masked == text:
            break
        text = masked
    return text


def _mask_once(text: str) -> str:
    for index in sorted(_CUES.Match(text.encode()) or ()):
        text = MASKERS[index].mask(text)
    return text


def clean(text: str) -> str:
    """The text without control characters, terminal sequences and lone surrogates.

    Line breaks and tabs stay: what writes one line for each record has to encode them.
    """
    return text if text.isprintable() else _CONTROL.sub("", text)
