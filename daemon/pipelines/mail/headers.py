"""The header fields of a message as text. Whatever a sender puts there, reading it never fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.header import decode_header
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses
from functools import cached_property

from daemon.pipelines.mail.message import LONGEST_HEADERS

LONGEST_VALUE = 4096
"""Characters of one field; what is longer is cut before it is decoded."""
_LONGEST_SENDER = 998
"""Characters of a field that an address is looked for in: a line of mail may not be longer."""

# The newer policies fail on some malformed addresses; this one takes everything.
_PARSER = BytesHeaderParser(policy=compat32)


class Headers(Mapping[str, str]):
    """Fields by name in any case, decoded; several of one name are joined by commas."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        """`fields` as they are in a message, several of one name too."""
        self._raw: dict[str, list[str]] = {}
        for name, value in fields:
            self._raw.setdefault(name.casefold(), []).append(value)
        self._decoded: dict[str, str] = {}

    @classmethod
    def parse(cls, raw: bytes) -> Headers:
        """The fields in `raw`, as far as they can be made out."""
        found = _PARSER.parsebytes(raw[:LONGEST_HEADERS]).raw_items()
        return cls((name, str(value)) for name, value in found)

    def __getitem__(self, name: str) -> str:
        # Most rules only ask whether a field is there: what nobody reads is not decoded.
        key = name.casefold()
        if key not in self._decoded:
            self._decoded[key] = ", ".join(map(_decoded, self._raw[key]))
        return self._decoded[key]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.casefold() in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"

    @cached_property
    def sender_domain(self) -> str | None:
        """Domain of the address in From, else in Sender, in lower case: what the sender claims."""
        for name in ("from", "sender"):
            if domain := _domain(self.get(name, "")):
                return domain
        return None

    @cached_property
    def sender_domains(self) -> frozenset[str]:
        """The sender's domain and all domains that it lies in."""
        labels = (self.sender_domain or "").split(".")
        return frozenset(".".join(labels[n:]) for n in range(len(labels)))


def _domain(value: str) -> str | None:
    try:
        addresses = getaddresses([value[:_LONGEST_SENDER]])
    except (ValueError, IndexError, RecursionError):  # comments within comments, and the like
        return None
    found = (address.rpartition("@")[2] for _, address in addresses if "@" in address)
    return next((domain.strip(" .>").lower() for domain in found), None) or None


def _decoded(value: str) -> str:
    """A field without line breaks and control characters, its encoded words decoded (RFC 2047)."""
    raw = value[:LONGEST_VALUE].encode("ascii", "surrogateescape").decode("utf-8", "replace")
    try:
        text = "".join(_part(part, charset) for part, charset in decode_header(raw))
    except Exception:  # noqa: BLE001 (whatever a hostile field makes the library raise)
        text = raw
    # Some charsets yield halves of characters, which nothing could store or send.
    shown = text.encode("utf-8", "replace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in shown).split())


def _part(part: bytes | str, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    if charset is None:  # decode_header gives text between encoded words as raw-unicode-escape
        return part.decode("raw_unicode_escape", "replace")
    try:
        return part.decode(charset, "replace")
    except (LookupError, ValueError):
        return part.decode("utf-8", "replace")
