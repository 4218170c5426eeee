"""The header fields of a message as text. Whatever a sender puts there, reading it never fails."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from email.header import decode_header
from email.utils import getaddresses
from functools import cached_property

from daemon.pipelines.mail.errors import HeadersTooLong
from daemon.pipelines.mail.message import HEADER_FIELDS, LONG_FIELDS, LONGEST_HEADERS

LONGEST_VALUE = 16 * 1024
"""Characters of one field that are decoded; a longer one is not read whole."""
_LONGEST_SENDER = 998
"""Characters of a field that an address is looked for in: a line of mail may not be longer."""

_ALL = frozenset(map(str.casefold, HEADER_FIELDS))
_LONG = frozenset(map(str.casefold, LONG_FIELDS))
_END = re.compile(rb"(\A|\n)\r?\n\Z")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_LINE_END = re.compile(r"\r?\n(?![ \t])")


class Headers(Mapping[str, str]):
    """Fields by name in any case, decoded; several of one name are joined by commas.

    Asking for what was not read whole raises `HeadersTooLong`: nothing is taken for absent, or for all
    that there is, that was only cut off.
    """

    def __init__(self, fields: Iterable[tuple[str, str]], cut: Collection[str] = ()) -> None:
        """`fields` as they are in a message, several of one name too; of those in `cut` there may be more."""
        self._raw: dict[str, list[str]] = {}
        for name, value in fields:
            self._raw.setdefault(name.casefold(), []).append(value)
        long = {name for name, values in self._raw.items() if max(map(len, values)) > LONGEST_VALUE}
        self._cut = frozenset(cut) | long
        self._decoded: dict[str, str] = {}

    @classmethod
    def parse(cls, raw: bytes, long: bytes | None = None) -> Headers:
        """The fields in `raw`, as far as they can be made out; with `long`, those of `LONG_FIELDS` in that."""
        fields = list(_fields(raw))
        cut = set() if _is_whole(raw) else _ALL - _LONG
        if long is not None:
            fields = [field for field in fields if field[0].casefold() not in _LONG]
            fields += [field for field in _fields(long) if field[0].casefold() in _LONG]
        if not _is_whole(raw if long is None else long):
            cut |= _LONG
        return cls(fields, cut)

    def whole(self, name: str) -> bool:
        """Whether all that the message has of this field was read."""
        return name.casefold() not in self._cut

    def seen(self, name: str) -> str | None:
        """What was read of a field, which may not be all of it; None when nothing was."""
        # Most rules only ask whether a field is there: what nobody reads is not decoded.
        key = name.casefold()
        if key in self._raw and key not in self._decoded:
            self._decoded[key] = ", ".join(map(_decoded, self._raw[key]))
        return self._decoded.get(key)

    def has(self, name: str) -> bool:
        """Whether anything of the field was read."""
        return name.casefold() in self._raw

    def __getitem__(self, name: str) -> str:
        self._insist(name)
        value = self.seen(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        if not self.has(name):
            self._insist(name)
        return self.has(name)

    def _insist(self, name: str) -> None:
        if not self.whole(name):
            raise HeadersTooLong

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
            if domain := _domain(self.seen(name) or ""):
                return domain
        return None

    @cached_property
    def sender_domains(self) -> frozenset[str]:
        """The sender's domain and all domains that it lies in."""
        labels = (self.sender_domain or "").split(".")
        return frozenset(".".join(labels[n:]) for n in range(len(labels)))


def _fields(raw: bytes) -> Iterator[tuple[str, str]]:
    """Names and values the way that servers and mail programs find them.

    Only a line feed ends a line, blanks may stand before the colon, and a line that is no field ends nothing.
    """
    text = raw[:LONGEST_HEADERS].decode("ascii", "surrogateescape")
    for line in _LINE_END.split(text):
        if field := _FIELD.fullmatch(line):
            yield field[1], field[2].strip()


def _is_whole(raw: bytes) -> bool:
    return len(raw) < LONGEST_HEADERS or (len(raw) == LONGEST_HEADERS and bool(_END.search(raw)))


def _domain(value: str) -> str | None:
    try:
        addresses = getaddresses([value[:_LONGEST_SENDER]])
    except (ValueError, IndexError, RecursionError):  # comments within comments, and the like
        return None
    found = (address.rpartition("@")[2] for _, address in addresses if "@" in address)
    return next((domain.strip(" .>").lower() for domain in found), None) or None


def _decoded(value: str) -> str:
    """A field without line breaks and control characters, its encoded words decoded (RFC 2047)."""
    raw = _text(value[:LONGEST_VALUE].encode("ascii", "surrogateescape"))
    try:
        text = "".join(_part(part, charset) for part, charset in decode_header(raw))
    except Exception:  # noqa: BLE001 (whatever a hostile field makes the library raise)
        text = raw
    # Some charsets yield halves of characters, which nothing could store or send.
    shown = text.encode("utf-8", "replace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in shown).split())


def _text(raw: bytes) -> str:
    """Letters beyond ASCII without an encoding are UTF-8, or else what Windows writes."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _part(part: bytes | str, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    if charset is None:  # decode_header gives text between encoded words as raw-unicode-escape
        return part.decode("raw_unicode_escape", "replace")
    try:
        return part.decode(charset, "replace")
    except (LookupError, ValueError):
        return part.decode("utf-8", "replace")
