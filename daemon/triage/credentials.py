"""Masking of passwords, tokens and keys that are recognised by their own shape or by the protocol.

Every pattern is bounded or possessive, so that the time is linear in the text whatever it holds. Each
comes with a cue: the text is searched for all cues at once, and only patterns whose cue is there
run at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from daemon.triage.assignments import MASK, mask_assignments, opaque

_SAID_OF_LOGIN = {
    *("failed", "command", "denied", "disabled", "error", "not", "is", "was", "request", "failure"),
    *("attempt", "required", "method", "with", "for", "to", "from", "name", "page", "server"),
    *("incorrect", "invalid", "aborted", "rejected", "limit", "first", "and", "or", "timed", "at"),
}
_ARGUMENT = r"""(?:"(?:[^"\\]|\\.)*+"?|[^\s"']++)"""


class Masker(NamedTuple):
    """One way in which a text may hold a secret."""

    cue: str
    """RE2 pattern without which `mask` changes nothing."""
    mask: Callable[[str], str]


def _after_prefix(match: re.Match[str]) -> str:
    return match[1] + MASK


def _when_opaque(match: re.Match[str]) -> str:
    return match[1] + MASK if opaque(match[2]) else match[0]


def _login(match: re.Match[str]) -> str:
    """``LOGIN user password``, but not a sentence about logging in."""
    untagged = match[1].upper().startswith("LOGIN")
    said = untagged and match[2].lower().strip('"') in _SAID_OF_LOGIN
    return match[0] if said else match[1] + MASK


def _shape(
    cue: str, pattern: str, replace: Callable[[re.Match[str]], str] = _after_prefix
) -> Masker:
    compiled = re.compile(pattern, re.DOTALL)
    return Masker(cue, lambda text: compiled.sub(replace, text))


MASKERS = (
    _shape(
        "-----BEGIN",
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----)(?!\*\*\*)(?:(?!-----END).)*+"
        r"(?:-----END [A-Z0-9 ]{0,40}-----)?",
    ),
    # What a URL holds before its host. A password may itself hold "/", "@" or "#".
    _shape(
        "://[^ ]*@",
        r"(://)(?:[^\s\"'<>/?#@:]{1,256}:(?!\d{1,5}(?![^/?#\s]))[^\s\"'<>]{0,256}"
        r"|[^\s\"'<>/?#]{0,256})(?=@)",
    ),
    _shape(
        "hooks[.]slack|/bot[0-9]|/webhooks/",
        r"(hooks\.slack\.com/(?:services|workflows)/|/bot(?=\d)|/webhooks/)[^\s\"'<>]++",
    ),
    Masker(
        r"(?i)(pass|pwd|pw|secret|credential|key|sig|token|session|connection|hmac|otp|auth|cookie|jwt|sid"
        r"|nonce|pin)[\w-]*( (key|token|string|phrase))?[\"'\\\]]*\s*((is|was|of) )?[:=>\"'`]"
        r"|[?&;](code|state|hash|sv)=|(?i)phrase\s*[:=]",
        mask_assignments,
    ),
    _shape(
        "(?i)(bearer|basic) +[a-z0-9._~+/=-]{6}",
        r"((?i:\bbearer|\bbasic) {1,4})([\w.~+/=-]{6,}+)",
        _when_opaque,
    ),
    _shape(
        "(?i)(token|signature|cookie|jwt|key)s? +[\"'(]?[a-z0-9._~+/=-]{12}",
        r"(\b(?i:token|signature|cookie|jwt|key)s? {1,4}[\"'(]?)([\w.~+/=-]{12,}+)",
        _when_opaque,
    ),
    _shape(
        "--?(password|passwd|pass|token|secret|api-key|auth|u|user) ",
        r"((?<!\S)(?:--?(?:password|passwd|pass|token|secret|api-key|auth) {1,4}|(?:-u|--user) {1,4}"
        r"[^\s:\"']{1,128}:(?=\S)))(?!-)[^\s\"']++",
    ),
    _shape(
        "(AKIA|ASIA|AROA|AIDA)[0-9A-Z*]|gh[pousr]_|github_pat_|sk-|[srp]k_(live|test)_|xox[a-z]-|xapp-|AIza"
        "|ya29[.]|glpat-|npm_|pypi-|dop_v1_|SG[.]|hf_|shpat_|eyJ|key-|dckr_pat_|whsec_",
        r"(?<![A-Za-z0-9])((?:AKIA|ASIA|AROA|AIDA)(?=[0-9A-Z]{12})|gh[pousr]_|github_pat_"
        r"|sk-(?=[\w-]{12})|[srp]k_(?:live|test)_|whsec_|xox[a-z]-|xapp-|AIza|ya29\.|glpat-"
        r"|npm_(?=\w{20})|pypi-(?=[\w-]{16})|dop_v1_|SG\.(?=[\w-]{12})|hf_(?=\w{16})|shpat_|dckr_pat_"
        r"|key-(?=[0-9a-f]{24})|eyJ(?=[\w-]{8}))[\w.~+/=-]++",
    ),
    _shape(
        "(?i)login +[^ ]+ +",
        rf"((?:\b[A-Za-z]{{0,8}}\d{{1,8}} (?i:LOGIN)|\bLOGIN) {{1,4}})(?!\*\*\*)({_ARGUMENT}) {{1,4}}{_ARGUMENT}"
        r"(?=[\"'\s]{0,4}(?:$|\n|\\r))",
        _login,
    ),
    _shape(
        "AUTH(ENTICATE)? +[A-Za-z0-9-]+ +",
        r"(\bAUTH(?:ENTICATE)? {1,4}[A-Za-z0-9-]{1,20} {1,4})([A-Za-z0-9+/=]{4,}+)",
        _when_opaque,
    ),
    _shape("PASS ", r"((?:^|[\n>\"'])(?: {0,4})PASS {1,4})[^\s\"']++"),
)
