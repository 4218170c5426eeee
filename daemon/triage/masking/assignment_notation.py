"""A name that may announce a secret, with what stands around it: ``--password=``, ``"token": ``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from daemon.triage.masking.secret_names import Secrecy, secrecy

_QUOTE = r"(?:\\{0,8}[\"'`]|&(?:quot|#3[49]);|%(?:25)?2[27]|\\{1,4}u002[27]|\\{1,4}x2[27])"
_EQUALS = r"(?:=>|:=|!?==?=?|[:=]|%(?:25)?3[AD]|\\{1,4}u003[ad]|&#(?:61|x3d);|\u2192|\uff1a|\uff1d)"
_NAME = re.compile(
    r"(?:(?<![\w-])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])|(?<=\\u00[0-9a-fA-F][0-9a-fA-F]))-{0,2}+"
    r"(?P<name>[A-Za-z_][\w-]*+(?:[ ](?i:key|token|string|phrase|code)\b)?+)"
    rf"(?P<quote>{_QUOTE})?\]?+"
    # Most words are followed by another one: told first, since all that comes is slow to refuse.
    r"(?!\s++(?!(?i:is|was|of|to|set|provided|given|used|entered|value|header|content|val)\b)[A-Za-z0-9])"
    r"(?P<operator>"
    rf"\s{{0,4}},?\s{{0,64}}{_QUOTE}?(?i:value|content|val){_QUOTE}?\s{{0,4}}[:=]\s{{0,4}}(?=[^\s=])"
    rf"|\s{{0,4}}(?:\?|:\s{{0,2}}(?:&?(?i:str|string|SecretStr|bytes|varchar|text))(?=\s{{0,2}}=))?\s{{0,2}}{_EQUALS}"
    r"(?:%(?:25)?20|\+(?=%)){0,4}(?:\s{1,4}[|>][+-]?)?\s{0,64}"
    rf"|(?<=[\"'])>(?:<value>)?|\s{{1,4}}(?:is |was |of |to )?(?:set to )?(?={_QUOTE})"
    r"|(?:\s{1,4}(?:is|was|provided|given|used|entered)){1,2}+:?\s{1,4}|\s{1,4}(?:value|header):\s{1,4}"
    rf"|,\s{{0,4}}(?=[bu]?{_QUOTE})"
    r")",
)
_IN_QUERY_AFTER = re.compile(r"(?:[?&;#]|%(?:3F|26|23)|\\u0026)\Z", re.IGNORECASE)
_LINE_START = re.compile(r"[ \t]*(?:export |set |SET |env |- |[<>*|#] ?)?(?:[\w-]{1,64}\.){0,8}\Z")
_BEFORE = re.compile(r"(?P<quote>\\{0,8}[\"'])-{0,2}\Z")
_LOOKED_BACK = 160


class NamedValue(NamedTuple):
    """A name with what stands between it and its value."""

    text: str
    name: str
    start: int
    """Where the name begins."""
    end: int
    """Where the value begins."""
    quote: str
    operator: str

    @classmethod
    def of(cls, match: re.Match[str]) -> NamedValue:
        return cls(
            text=match.string,
            name=match["name"],
            start=match.start("name"),
            end=match.end(),
            quote=match["quote"] or "",
            operator=match["operator"],
        )

    @property
    def secrecy(self) -> Secrecy:
        escaped = self.start > 0 and self.text[self.start - 1] == "\\" and self.name[0] in "nrtbf"
        found = secrecy(self.name[1:]) if escaped else Secrecy.NONE
        return found if found is not Secrecy.NONE else secrecy(self.name)

    @property
    def in_query(self) -> bool:
        before = self.text[max(0, self.start - 6) : self.start]
        return "=" in self.operator[:1] + self._decoded() and bool(_IN_QUERY_AFTER.search(before))

    def _decoded(self) -> str:
        return "=" if self.operator.upper() in ("%3D", "%253D", "\\U003D") else ""

    @property
    def spoken(self) -> bool:
        """Written as in a sentence (``secret: not found``), so that the value may be a mere word."""
        if self.quote or "=" in self.operator:
            return "\n" in self.operator and not self.quote
        return self.operator[-1:].isspace()

    @property
    def begins_line(self) -> bool:
        before = self.text[max(0, self.start - _LOOKED_BACK) : self.start]
        return _LINE_START.fullmatch(before[before.rfind("\n") + 1 :]) is not None

    @property
    def before(self) -> str:
        """The quote that stands before the name, and the dashes of an option."""
        found = _BEFORE.search(self.text, max(0, self.start - 12), self.start)
        return found["quote"] if found else ""

    @property
    def is_argument(self) -> bool:
        """``'--password=a b'`` or ``"DB_PASSWORD=a b"``: the quotes go around name and value."""
        dashed = self.text[max(0, self.start - 2) : self.start] == "--"
        return self.operator == "=" and (dashed or self.name.isupper()) and bool(self.before)

    @property
    def of_a_pair(self) -> bool:
        """``('password', 'x')``; elsewhere a comma separates names, as of columns."""
        before = self.text[max(0, self.start - 12) : self.start]
        return before.rstrip("\\bu'\"").endswith(("(", "["))

    @property
    def has_no_operator(self) -> bool:
        """Names beside each other, as of columns: not a name and its value."""
        if not self.operator.startswith(",") or "alue" in self.operator:
            return False
        return not (self.quote and (self.secrecy is Secrecy.HEADER or self.of_a_pair))


def assignments(text: str) -> Iterator[NamedValue]:
    """Every name that something is given to, from left to right."""
    yield from map(NamedValue.of, _NAME.finditer(text))
