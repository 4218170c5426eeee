"""What a text must hold for a regular expression to match it: the literals to look for first.

Hundreds of rules state thousands of patterns. Running them all, even as one automaton, takes long for
every new kind of text. Almost all of them hold words, though; an Aho-Corasick automaton finds the words
of all patterns in one pass, and only patterns whose words are there are looked at.

The expression is read once from left to right. What is not understood is taken for "anything", which
asks for less and so is always safe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SHORTEST = 3
"""Characters of a word that is worth looking for."""
_LONG = 8
"""From this length on a word is rare enough."""
_COMMON = frozenset(
    [
        "error",
        "code",
        "status",
        "http",
        "server",
        "client",
        "request",
        "response",
        "file",
        "message",
        "value",
        "type",
        "name",
        "not ",
        "failed",
        "fail",
        "failed to",
        "could not",
        "cannot",
        "unable to",
        "invalid",
        "expected",
        "exception",
        "connection",
        "user",
        "data",
        "table",
    ]
)
"""Words of half of all errors: looked for only where a pattern needs nothing else."""
_MOST_EXACT = 16
_MOST_WORDS = 200
_CASE = re.compile(r"\(\?[a-zA-Z]*-")
_TOKEN = re.compile(
    r"(?P<plain>[^\\.\[\](){}*+?|^$]+(?![*+?{])|[^\\.\[\](){}*+?|^$])"
    r"|\((?:\?:)?(?P<words>[^\\.\[\](){}*+?^$]+)\)"
    r"|\\(?P<zero>[bBAz])|\\x(?P<hex>[0-9a-fA-F]{2})|\\(?P<escaped>[^\w\s])"
    r"|(?P<any>\\(?:[pP]\{[^}]*\}|[pP].|x\{[^}]*\}|[0-7]{1,3}|.)|\.)"
    r"|\[(?P<inverse>\^?)(?P<set>\]?(?:\\.|[^\]\\])*)\]"
    r"|(?P<flags>\(\?[a-zA-Z-]+\))|(?P<open>\((?:\?(?:P?<\w+>|[a-zA-Z-]*:))?)|(?P<close>\))|(?P<or>\|)"
    r"|(?P<repeat>[*+?]|\{\d+(?:,\d*)?\})(?P<lazy>\??)|(?P<anchor>[\^$])|(?P<odd>.)",
    re.DOTALL,
)


Words = frozenset[str]
"""Any match holds at least one of these, in lower case."""


class Needs(NamedTuple):
    """What is known of the texts that an expression matches."""

    exact: Words | None
    """All texts that it matches, when they are few; else None."""
    words: tuple[Words, ...]
    """Each of these is needed too; empty when nothing is known."""
    bare: bool
    """Whether `exact` says it all: nothing about word boundaries and line ends."""

    @property
    def all(self) -> tuple[Words, ...]:
        """Words to look for, the rarest first: one of each is in any match."""
        useful = _useful((*self.words, self.exact))
        return useful if len(useful) < 2 else tuple(sorted(useful, key=_rarity, reverse=True))

    @property
    def certain(self) -> bool:
        """Whether the expression matches wherever one of the texts in `exact` is found."""
        return self.bare and self.exact is not None and self.all == (self.exact,)


_EMPTY = frozenset({""})
_NOTHING = Needs(_EMPTY, (), True)
_ANYTHING = Needs(None, (), True)
_BOUNDARY = Needs(_EMPTY, (), False)


_PLAIN = re.compile(r"[^\\.\[\](){}*+?|^$]+").fullmatch


def needs(expression: str) -> Needs:
    """What a match of the RE2 expression, whatever its case, must hold."""
    if _PLAIN(expression):
        return _literal(expression.lower())
    tokens = _TOKEN.finditer(expression)
    found = _alternatives(tokens)
    if next(tokens, None) is not None:
        return _ANYTHING
    return found._replace(bare=found.bare and not _CASE.search(expression))


def _alternatives(tokens: Iterator[re.Match[str]]) -> Needs:
    """Reads up to the end of the group or of the expression."""
    found: Needs | None = None
    parts: list[Needs] = []
    for token in tokens:
        kind = token.lastgroup
        if kind == "lazy":
            if parts:
                parts[-1:] = [*_repeated(parts[-1], token["repeat"])]
        elif kind == "or":
            found = _either(found, _sequence(parts))
            parts = []
        elif kind == "close":
            break
        else:
            parts.append(_part(token, tokens))
    return _either(found, _sequence(parts))


def _part(token: re.Match[str], tokens: Iterator[re.Match[str]]) -> Needs:
    kind = token.lastgroup
    if kind == "plain":  # what a repetition concerns is a token of its own
        return _literal(token["plain"].lower())
    if kind == "words":
        return _any_of(token["words"])
    if kind == "open":
        return _alternatives(tokens)
    return _character(token)


def _character(token: re.Match[str]) -> Needs:
    match token.lastgroup:
        case "escaped":
            return _literal(token["escaped"])
        case "hex":
            return _literal(chr(int(token["hex"], 16)).lower())
        case "set" if not token["inverse"]:
            return _one_of(token["set"])
        case "zero" | "anchor":
            return _BOUNDARY
        case "flags":
            return _NOTHING
    return _ANYTHING


def _literal(text: str) -> Needs:
    return Needs(frozenset({text}), (), True)


def _any_of(words: str) -> Needs:
    """A group of plain words."""
    return _some(frozenset(words.lower().split("|")), bare=True)


def _some(texts: frozenset[str], *, bare: bool) -> Needs:
    """Any of some texts."""
    if len(texts) <= _MOST_EXACT:
        return Needs(texts, (), bare)
    return Needs(None, (texts,) if len(texts) <= _MOST_WORDS else (), True)


def _one_of(characters: str) -> Needs:
    """A class of a few characters, each written out."""
    if len(characters) > 4 or "-" in characters[1:-1] or "\\" in characters or "[" in characters:
        return _ANYTHING
    return Needs(frozenset(characters.lower()), (), True)


def _repeated(part: Needs, times: str) -> Iterator[Needs]:
    if times == "?" and part.exact is not None and len(part.exact) < _MOST_EXACT:
        yield Needs(part.exact | _EMPTY, (), part.bare)
    elif times in "?*" or times.startswith("{0"):
        yield _ANYTHING
    else:  # at least once
        yield Needs(None, part.all, True)


def _sequence(parts: list[Needs]) -> Needs:
    """One after the other: exact texts join as long as they are few."""
    if len(parts) == 1:
        return parts[0]
    run, words, whole, bare = _EMPTY, list[Words | None](), True, True
    for exact, inner, is_bare in parts:
        bare = bare and is_bare
        if exact is not None and len(run) * len(exact) <= _MOST_EXACT:
            run = frozenset([a + b for a in run for b in exact])
            continue
        whole = False
        words += (run, *inner)
        run = _EMPTY if exact is None else exact
    return Needs(run, (), bare) if whole else Needs(None, _useful([*words, run]), True)


def _either(one: Needs | None, other: Needs) -> Needs:
    if one is None:
        return other
    if one.exact is not None and other.exact is not None:
        return _some(one.exact | other.exact, bare=one.bare and other.bare)
    ours, theirs = one.all, other.all
    if not ours or not theirs or len(ours[0] | theirs[0]) > _MOST_WORDS:
        return _ANYTHING
    return Needs(None, (ours[0] | theirs[0],), True)


def _useful(words: Iterable[Words | None]) -> tuple[Words, ...]:
    return tuple([w for w in words if w and len(min(w, key=len)) >= SHORTEST])


def _rarity(words: Words) -> tuple[bool, int, int]:
    """How few texts hold any of the words, as far as their looks tell."""
    common = not _COMMON.isdisjoint(words)
    return not common, min(_LONG, len(min(words, key=len))), -len(words)
