"""A rule to start from for a message that no rule recognises, as TOML to paste into a rule file.

It is valid as it stands and recognises the message it was made from; what it cannot know, the
category and the advice, is left to its author.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

from daemon.taxonomy import Category
from daemon.triage.grouping import fingerprint, normalise
from daemon.triage.matching.classifier import searched_text
from daemon.triage.matching.literals import needs
from daemon.triage.matching.patterns import search_set

_PLACEHOLDER = re.compile(r"<(n|id|value|path|time)>|(\*\*\*)|(\[email\])")
_GAPS = {"n": 20, "id": 80, "value": 200, "path": 200, "time": 40, "***": 200, "[email]": 200}
"""How many characters may stand where something varies."""
_MOST_GAPS, _LONGEST, _LONGEST_LITERAL = 3, 120, 100
_TELLING = 8
"""Letters that a pattern needs to be found anywhere; with fewer it has to be the whole line."""
_WORDS_OF_NAME, _LONGEST_NAME = 5, 50
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")

_RULE = """\
[[rule]]
name = "{name}"
category = "unknown"  # choose: {categories}
{conditions}
# pipelines = [{pipeline}]
user_message = "Say what happened."
suggested_action = "Say what to do about it."
examples = [{example}]
"""


def propose(message: str, exception_type: str | None, pipeline: str) -> str | None:
    """One `[[rule]]` table that matches the masked message of an exception of that type.

    None when there is nothing that it could be recognised by.
    """
    pattern = _pattern(message)
    conditions = [f"exceptions = [{toml_string(exception_type)}]"] if exception_type else []
    conditions += [f"patterns = [{toml_string(pattern)}]"] if pattern else []
    if not conditions:
        return None
    example = toml_string(message)
    if exception_type:
        example = f"{{ message = {example}, exception = {toml_string(exception_type)} }}"
    return _RULE.format(
        name=_name(message, exception_type),
        categories=", ".join(category for category in Category if category != "unknown"),
        conditions="\n".join(conditions),
        pipeline=toml_string(pipeline),
        example=example,
    )


def toml_string(text: str) -> str:
    """A TOML string of one line, whatever is in the text."""
    if "'" not in text and text.isprintable():
        return f"'{text}'" if "\\" in text or '"' in text else f'"{text}"'
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _name(message: str, exception_type: str | None) -> str:
    """Made of the message's first words, and of a few digits that keep it apart from others."""
    normalised = normalise(message)
    words = re.findall(r"[a-z]{2,}", _PLACEHOLDER.sub(" ", normalised).lower())
    begun = "_".join(words[:_WORDS_OF_NAME])[:_LONGEST_NAME].strip("_") or "rule"
    return f"{begun}_{fingerprint(normalised, exception_type)[:4]}"


def _pattern(message: str) -> str | None:
    """The most telling pattern that matches the message."""
    return next((p for p in _patterns(message) if _matches(p, message)), None)


def _patterns(message: str) -> Iterator[str]:
    """Patterns to try, the best first, the last of which matches whatever the message is."""
    for blank in (" ", r"\s+"):
        if pattern := _stable_words(normalise(message), blank):
            yield pattern
    line = next((line for line in message.splitlines() if line.strip()), "")
    literal = line.strip()[:_LONGEST_LITERAL]
    if literal:
        yield f"^{_literal(literal)}$"
        yield _literal(literal)
        yield "".join(c if c.isascii() else f"\\x{{{ord(c):x}}}" for c in _literal(literal))


def _stable_words(normalised: str, blank: str) -> str | None:
    """The beginning of the message with a bounded gap for each thing that varies."""
    words: list[str] = []
    for word in normalised.split():
        joined = " ".join([*words, word])
        if len(joined) > _LONGEST or len(_PLACEHOLDER.findall(joined)) > _MOST_GAPS:
            break
        words.append(word)
    while words and _PLACEHOLDER.fullmatch(words[-1]):
        words.pop()
    while words and _PLACEHOLDER.fullmatch(words[0]):
        words.pop(0)
    stable = _PLACEHOLDER.sub("", "".join(words))
    if sum(map(str.isalpha, stable)) < _TELLING:
        return None
    return blank.join(map(_with_gaps, words))


def _with_gaps(word: str) -> str:
    pieces, end = [], 0
    for found in _PLACEHOLDER.finditer(word):
        gap = _GAPS[found[1] or found[0]]
        pieces += [_literal(word[end : found.start()]), f".{{1,{gap}}}"]
        end = found.end()
    return "".join([*pieces, _literal(word[end:])])


def _literal(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)


def _matches(pattern: str, message: str) -> bool:
    """Whether classification would find it: its words first, then the pattern."""
    text = searched_text(message)
    lowered = text.lower()
    if not all(any(word in lowered for word in words) for words in needs(pattern).all):
        return False
    try:
        return search_set(pattern).Match(text.encode(errors="replace")) is not None
    except re2.error:
        return False
