"""Where the value of an assignment begins and ends: quoted at any depth of escaping, wrapped, or bare.

Each function takes the text and where the value begins, and returns the part to mask. The time is
linear in what is returned; a value without an end reaches to the end of its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_OPENING = re.compile(
    r"(?:[bBuUrRfFnNeE@$]{1,2}(?=[\"'])"
    r"|(?!os\.|process\.|System\.|getenv|env\()&?[A-Za-z_][\w.:]{0,40}[(\[<{]{1,2}(?=\\{0,8}[\"'])"
    r"|[\[({](?=\\{0,8}[\"']))?"
    r"(?P<quote>(?P<escapes>\\{0,8})[\"'`]|&(?:quot|apos|#3[49]|#x2[27]);|%(?:25)?2[27]|\\{1,4}u002[27]|\\{1,4}x2[27])"
)
_QUOTE_RUN = {mark: re.compile(rf"(?<!\\)(\\*+){mark}") for mark in "\"'`"}
_AGAIN = {
    "'": re.compile(
        r"'|\"'\"'|\\''"
    ),  # as SQL doubles it, and as shells leave quotes and come back
    '"': re.compile(r'"|\'"\'"'),
    "`": re.compile("`"),
}
_GOES_ON = 256
_LINE_END = re.compile(r"[\r\n]|\Z")
_CODE = re.compile(
    r"(?:os\.(?:environ|getenv)|(?:System\.)?getenv|process\.env|ENV|env|self|settings|config|None|null|nil|"
    r"undefined|NULL|args|kwargs|secrets)(?:[.\[(]|(?=[,;)}\]\s]|\Z))|<[A-Za-z_ -]{1,40}>|\$\{?[A-Za-z_]\w{0,60}\}?(?=[,;)}\]\s\"']|\Z)"
)
_BARE = re.compile(
    r"(?:(?i:Bearer|Basic|Token|ApiKey)[ ]+)?"
    r"(?:(?!%26|%22|%2C|%7D|&quot;|&amp;|\\{1,4}u00(?:26|22)|\\{1,4}[rn\"'])[^\s,;&\"'<>)}\]])++"
)
_MORE = re.compile(
    r"(?:[,;&)}\]<>\"']{1,4}(?!\\*[nr\"'])|\\{1,4}[nr]?)"
    r"(?:(?!%26|%22|&quot;|\\{1,4}u00(?:26|22))[^\s,;&)}\]<>\"'=:\\]){1,256}+(?![=:\"'>]|%3D|\\{1,4}[\"'])"
)
_LINE = re.compile(r"[^\r\n]{1,4096}+")
_NEXT_NAME = re.compile(r"[;&,|]\s?[\w ]{1,64}=|\\[rn]|[\"'][,}\])]")
_SAID = {
    *(
        "must",
        "is",
        "was",
        "not",
        "should",
        "cannot",
        "required",
        "too",
        "may",
        "field",
        "has",
        "contains",
        "at",
    ),
    *(
        "invalid",
        "incorrect",
        "expected",
        "the",
        "can't",
        "does",
        "missing",
        "wrong",
        "empty",
        "authentication",
    ),
    *(
        "needs",
        "has",
        "no",
        "unknown",
        "failed",
        "expired",
        "in",
        "for",
        "and",
        "or",
        "to",
        "from",
        "of",
        "but",
    ),
}


class SecretValue(NamedTuple):
    """The part of a text to be masked."""

    start: int
    end: int
    quoted: bool = False


def quoted(text: str, at: int, by: str = "") -> SecretValue | None:
    """What stands in quotes there, without them; or reaches to the quote `by` that came before."""
    opening = _OPENING.match(by) if by else _OPENING.match(text, at)
    if opening is None:
        return None
    start, quote = at if by else opening.end(), opening["quote"]
    if opening["escapes"] is None:
        found = text.find(quote, start)
    else:
        found = _closing(text, start, quote[-1], len(opening["escapes"]))
    return SecretValue(start, _line_end(text, start) if found < 0 else found, quoted=True)


def _closing(text: str, start: int, mark: str, escapes: int) -> int:
    """Where the quote ends that began with so many backslashes, or -1.

    Inside of a text that was escaped n times, a quote that belongs to the value has more backslashes
    than the one that ends it, by a multiple that escaping leaves no choice about. A letter right
    after a quote says that the value goes on, if it does end on the same line.
    """
    first, limit = -1, len(text)
    for end, run in _candidates(text, start, mark, escapes):
        if end >= limit:
            break
        if run is None:
            continue
        after = end + min(run, escapes) + 1
        if run < escapes or not text[after : after + 1].isalnum():
            return end
        if first < 0:
            first, limit = end, _line_end(text, end, end + _GOES_ON)
    return first


def _candidates(text: str, start: int, mark: str, escapes: int) -> Iterator[tuple[int, int | None]]:
    """Quotes, each with the number of backslashes before it where it may be the last one."""
    position = start
    while found := _QUOTE_RUN[mark].search(text, position):
        run, position = len(found[1]), found.end()
        if run < escapes:
            yield found.start(), run
        elif (run - escapes) % (2 * escapes + 2) == 0:
            again = None if escapes or run else _AGAIN[mark].match(text, position)
            if again:
                position = again.end()
            yield (position, None) if again else (position - escapes - 1, run)
        else:
            yield position, None


def bare(text: str, at: int) -> SecretValue | None:
    """A word, as far as the notation around it allows."""
    found = None if _CODE.match(text, at) else _BARE.match(text, at)
    return SecretValue(at, found.end()) if found else None


def bare_password(text: str, at: int, *, whole_line: bool) -> SecretValue | None:
    """A password without quotes: the characters that end a word may be part of it."""
    if whole_line and (line := _LINE.match(text, at)) and not _is_sentence(line[0]):
        whole = text[at : _line_end(text, at)]
        return SecretValue(at, at + len(whole.rstrip().rstrip("\"',;}")))
    word = bare(text, at)
    if word is None:
        return None
    end = word.end
    while more := _MORE.match(text, end):
        end = more.end()
        rest = _BARE.match(text, end)
        end = rest.end() if rest else end
    return SecretValue(at, end)


def listed(text: str, at: int, *, plural: bool) -> SecretValue | None:
    """All that a list holds; of names in plural (``secrets``) also all that a mapping holds.

    Empty when a list holds what a validator says of the field.
    """
    found = (
        _LIST.match(text, at)
        or _LIST_CUT.match(text, at)
        or (_MAPPING.match(text, at) if plural else None)
    )
    if found is None:
        return None
    return SecretValue(at + 1, at + 1 if _SENTENCE.search(found[0]) else found.end() - 1)


def is_message(text: str, at: int) -> bool:
    """``must not be blank``: what is said of a value rather than the value."""
    return _MESSAGE.match(text, at) is not None


def opening_brace(text: str, at: int) -> SecretValue | None:
    """``{a;b}``, as connection strings of ODBC quote; a closing brace inside is doubled."""
    found = _BRACED.match(text, at)
    return SecretValue(found.start(1), found.end(1), quoted=True) if found else None


_STRING = r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'"
_LIST = re.compile(rf"\[(?=[bu]?[\"'\s])(?:{_STRING}|[^\]\"'\[]){{1,8192}}+\]", re.DOTALL)
_LIST_CUT = re.compile(r"\[(?=[bu]?\\{0,8}[\"'\s])[^\]]{1,8192}+\]")
_MAPPING = re.compile(r"\{(?=\s{0,64}\\{0,8}[\"'])[^{}]{1,8192}+\}")
_SENTENCE = re.compile(
    r"\b(?:must|may|should|cannot|is|was|not|has|does|required|too|invalid|at least)\b(?= |\.[\"'])",
    re.IGNORECASE,
)
_MESSAGE = re.compile(
    r"(?i:must|should|cannot|can't|may|is|was|does|has|field|needs|too|this|the|your|value)\s{1,4}(?=[a-z])"
)
_BRACED = re.compile(r"\{((?:[^{}\n\"']|\}\}){1,256}+)\}(?=[;\s\"']|\Z)")


def _is_sentence(line: str) -> bool:
    """``must not be blank``; also a line that goes on with other things than a value."""
    words = line.split(None, 8)
    if len(words) == 1:
        return _NEXT_NAME.search(line) is not None
    return any(word.strip(".,:;!").lower() in _SAID for word in words[:8]) or any(
        mark in line for mark in ("=", ": ", ", ", "; ", " | ", "'", '"', "(", "[")
    )


def _line_end(text: str, at: int, limit: int | None = None) -> int:
    """Where the line ends, or `limit` where that comes before."""
    limit = len(text) if limit is None else limit
    found = _LINE_END.search(text, at, limit)
    return found.start() if found else limit
