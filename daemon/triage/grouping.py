"""Which failures have the same cause: what differs from one to the next is taken out of the message.

Numbers, ids, quoted values, paths and times become placeholders; names of columns, tables and
constraints, and codes of errors, stay, since they tell causes apart.
"""

from __future__ import annotations

import re
from hashlib import blake2b

FINGERPRINT_VERSION = 1
"""Of `normalise` and of what goes into a fingerprint.

A change that gives any message another fingerprint raises it. Stored failures keep theirs, so groups
that people merged, split or decided about stay as they are.
"""

_LONGEST = 400
_QUOTED = re.compile(r"\"[^\"]*+\"|'(?<!\w')[^']*+'|`[^`]*+`")
_NAMES_FOLLOW = {
    *("column", "field", "table", "relation", "constraint", "attribute", "property", "function"),
    *("module", "name", "named", "type", "keyerror:", "attributeerror:"),
}
_PATH = re.compile(
    r"[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>,;)]++|(?<![\w<])(?:[A-Za-z]:)?[/\\](?![/\\])[^\s\"'<>,;:)]++"
)
_FILE_NAME = re.compile(
    r"[^\s\"'<>,;:()=]{1,255}\.(?:csv|tsv|txt|jsonl?|ndjson|parquet|xml|xlsx?|zip|gz|zst|log|tmp|png|"
    r"jpe?g|duckdb|db|eml)\b",
    re.IGNORECASE,
)
_VARIABLE = re.compile(
    r"(?P<kept>(?:errno|sqlstate|status|code|http)[:=]{1,2}[0-9A-Z]{3,5}\b"
    r"|(?<![\w])(?:u?int|float|double|utf-?|latin-?|[iuf])\d{1,3}\b)"
    r"|(?P<id>(?<!\w)(?:0x)?(?=[0-9a-f-]*[0-9])[0-9a-f]{8,}+(?:-[0-9a-f]{4,12})*\b"
    r"|(?<![\w-])(?=[a-z_-]*[0-9])(?=[0-9_-]*[a-z])[\w-]{16,}+)"
    r"|(?P<time>(?<!\w)\d{4}-\d\d-\d\d(?:[T_]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|(?<!\w)\d\d:\d\d:\d\d(?:[.,]\d+)?)"
    r"|[-+]?\d[\d.,]*\d|\d",
    re.IGNORECASE,
)
_HAS_DIGIT = re.compile(r"\d")
_CODE = re.compile(r"\W*-?[0-9A-Z]{1,5}\W*")
_BEFORE_CODE = {"errno", "sqlstate", "status", "code", "http"}


def normalise(message: str) -> str:
    """What failures of one cause have in common. `message` is masked already."""
    line = _cause_line(message)[: 2 * _LONGEST]
    if "'" in line or '"' in line or "`" in line:
        line = _QUOTED.sub(_quoted, line)
    words: list[str] = []
    before = ""
    for word in line.split():
        words.append(word if word.isalpha() else _general(word, before))
        before = word
    return " ".join(words)[:_LONGEST]


def _quoted(match: re.Match[str]) -> str:
    """A quoted value goes; a quoted name of a column or the like tells causes apart and stays."""
    before = match.string[max(0, match.start() - 24) : match.start()].split()
    return match[0] if before and before[-1].lower() in _NAMES_FOLLOW else "<value>"


def _general(word: str, before: str) -> str:
    """A word of the message with what varies in it replaced; codes of errors stay."""
    if "/" in word or "\\" in word:
        word = _PATH.sub("<path>", word)
    if "." in word[:-1]:
        word = _FILE_NAME.sub("<path>", word)
    if not _HAS_DIGIT.search(word):
        return word
    if before.strip("[(:=").lower() in _BEFORE_CODE and _CODE.fullmatch(word):
        return word
    bare = word.strip("()[]{}<>.,:;=\"'`")
    return word.replace(bare, "<n>") if bare.isdigit() else _VARIABLE.sub(_placeholder, word)


def fingerprint(*parts: str | None) -> str:
    """16 hex digits over the parts, the same in every process and version."""
    joined = "\x1f".join(part or "" for part in parts)
    return blake2b(joined.encode(errors="replace"), digest_size=8).hexdigest()


def _placeholder(match: re.Match[str]) -> str:
    if match["kept"]:
        return match["kept"]
    if match["id"]:
        return "<id>"
    return "<time>" if match["time"] else "<n>"


def _cause_line(message: str) -> str:
    """The line that says what is wrong: of a traceback the last, else the first that says something."""
    if message.isprintable():  # so there are no line breaks
        return message
    lines = [line for line in message.splitlines() if line.strip()]
    if len(lines) < 2:
        return message
    if lines[0].startswith(("Traceback", " ")):
        return next((line for line in reversed(lines) if not line[0].isspace()), lines[-1])
    if "CSV Error on Line" in lines[0]:  # DuckDB: the bad line itself comes before what is wrong
        return next((line for line in lines[1:] if not line.startswith("Original Line")), lines[0])
    return lines[0]
