"""What the server said: text, response code and wish to wait, out of what imaplib raises.

imaplib and IMAPClient give texts as they come, wrapped in words of their own or as ``b'...'``, without
codes. Texts may hold a link that signs its reader in, so what a link asks for is cut off here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

LONGEST = 1000
_WRAPPING = re.compile(r"^(?:command: [\w ]+ => )?(?:\w+ failed: |\w+ command error: (?=BAD|NO))?")
_ESCAPE = r"""\\(?:[\\'"ntr]|x[0-9a-f]{2})"""
_BYTES = re.compile(
    rf"""\[?(b'(?:[ -&(-\[\]-~]|{_ESCAPE})*+'|b"(?:[ !#-\[\]-~]|{_ESCAPE})*+")\]?"""
)
"""Bytes as Python writes them, and nothing else that begins like them."""
_BYE = re.compile(r"^\* (?:BYE|NO|BAD) ")
_CODE = re.compile(r"\[([A-Z][A-Z0-9-]*)(?=[\] ])")
_WEBALERT = re.compile(r"\[WEBALERT [^\]]*\]")
_LINK = re.compile(r"(https?://[^\s?#\]]{1,300})[?#][^\s\])]*")
_BACKOFF = re.compile(r"Suggested Backoff Time: (\d{1,9}) milliseconds", re.IGNORECASE)
_TIMING = re.compile(r" \([0-9. +]+ secs\)\.?$")
_SENT_BY_SERVER = re.compile(r"((?:unterminated|unexpected)[a-z ]{0,40}): .*", re.DOTALL)
_SAYING_NOTHING = {"ALERT", "CAPABILITY"}


class Reply(msgspec.Struct, frozen=True):
    """What the server said of a command that failed."""

    text: str
    code: str | None
    """Response code, such as ``AUTHENTICATIONFAILED``."""
    retry_after: float | None
    """Seconds that the server asks to wait."""


def read(error: BaseException, notes: Sequence[str] = ()) -> Reply:
    """The reply behind an exception, with what the server noted beside it."""
    said = [text_of(error)]
    said += [note for note in map(without_tokens, notes) if not _in_any(note, said)]
    text = "; ".join(part for part in said if part)[:LONGEST]
    codes = [code for code in _CODE.findall(text) if code not in _SAYING_NOTHING]
    backoff = _BACKOFF.search(text)
    return Reply(
        text,
        codes[0] if codes else None,
        int(backoff[1]) / 1000 if backoff else None,
    )


def notes_of(untagged: Mapping[str, Iterable[object]]) -> list[str]:
    """Warnings and goodbyes among the responses that imaplib collected beside those asked for."""
    found = []
    for kind in ("NO", "BAD", "BYE", "OK"):
        texts = [_decoded(text) for text in untagged.get(kind, ()) if isinstance(text, bytes)]
        found += [text for text in texts if kind != "OK" or text.startswith("[ALERT]")]
    return found


def text_of(error: BaseException) -> str:
    """The server's own words, on one line."""
    # After an empty line IMAPClient adds advice for programmers.
    said = str(error).partition("\n\n")[0]
    text = _BYTES.sub(_unpacked, _WRAPPING.sub("", said))
    words = _TIMING.sub("", _BYE.sub("", " ".join(text.split())))
    return without_tokens(words)


def without_tokens(text: str) -> str:
    """The text with links that may sign somebody in cut down to their address."""
    return _LINK.sub(r"\1", _WEBALERT.sub("[WEBALERT]", text))


def without_contents(text: str) -> str:
    """imaplib's words without the line it stumbled over, which may be part of a message."""
    return _SENT_BY_SERVER.sub(r"\1", text)


def _unpacked(match: re.Match[str]) -> str:
    value = ast.literal_eval(match[1])
    return _decoded(value) if isinstance(value, bytes) else match[0]


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _in_any(note: str, texts: Iterable[str]) -> bool:
    return any(note in text for text in texts)
