"""Masking of values whose name says that they are secret: ``password=x``, ``"token": "x"``, headers.

Names and operators are found first and values read from there, so that a harmless assignment never
hides a secret one inside its value, and each character is looked at a bounded number of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from daemon.triage.masking import secret_names, secret_values
from daemon.triage.masking.assignment_notation import NamedValue, assignments
from daemon.triage.masking.header_values import header_value
from daemon.triage.masking.masker import MASK, Masker, opaque
from daemon.triage.masking.secret_names import Secrecy
from daemon.triage.masking.secret_values import SecretValue

_STATED = re.compile(r"(?:using password: |password \()(?:YES|NO)\b", re.IGNORECASE)
_HARMLESS = re.compile(r"(?:\d{1,5}|[a-z_]{1,10})(?![^\s&;\"'<>)\]])")
_SPOKEN_VALUE = 256
_LONG = 8


def _secret_values(text: str) -> Iterator[SecretValue]:
    done = 0
    for assignment in assignments(text):
        if assignment.start < done or not _announces_secret(assignment):
            continue
        value = _secret_value(assignment)
        if value is not None and value.end > value.start:
            done = value.end
            yield value


def _announces_secret(assignment: NamedValue) -> bool:
    if assignment.has_no_operator:
        return False
    if assignment.secrecy is not Secrecy.NONE:
        return True
    return assignment.in_query and _secret_parameter(assignment)


def _secret_value(assignment: NamedValue) -> SecretValue | None:
    """The value when it has to be masked."""
    text, end = assignment.text, assignment.end
    if assignment.secrecy is Secrecy.HEADER:
        return header_value(text, end, begins_line=assignment.begins_line)
    if value := secret_values.listed(text, end, plural=assignment.name.endswith("s")):
        return value
    if value := secret_values.quoted(text, end):
        return value if _is_a_value(assignment, text[value.start : value.end]) else None
    if assignment.secrecy is Secrecy.PASSWORD:
        return _bare_password(assignment)
    spoken = assignment.spoken and not _looks_opaque(text, end)
    return None if spoken else secret_values.bare(text, end)


def _secret_parameter(assignment: NamedValue) -> bool:
    """``code=4/0Ab`` and ``state=xyzABC``, but neither ``code=404`` nor ``state=open``."""
    beginning = assignment.text[assignment.end : assignment.end + _SPOKEN_VALUE]
    return secret_names.secret_in_query(assignment.name) and not _HARMLESS.match(beginning)


def _bare_password(assignment: NamedValue) -> SecretValue | None:
    text, end = assignment.text, assignment.end
    if assignment.in_query:
        return secret_values.bare(text, end)
    if assignment.is_argument and (value := secret_values.quoted(text, end, by=assignment.before)):
        return value
    if not _states_password(assignment):
        return None
    return secret_values.opening_brace(text, end) or secret_values.bare_password(
        text, end, whole_line=assignment.begins_line and "\n" not in assignment.operator
    )


def _states_password(assignment: NamedValue) -> bool:
    """Not ``using password: YES``, nor ``password: must not be blank``, nor ``password is wrong``."""
    text, end = assignment.text, assignment.end
    if _STATED.match(text, max(0, end - len("using password: "))):
        return False
    if assignment.spoken and secret_values.is_message(text, end):
        return False
    in_words = "\n" in assignment.operator or assignment.operator.strip()[:1].isalpha()
    return not in_words or _looks_opaque(text, end)


def _looks_opaque(text: str, at: int) -> bool:
    beginning = text[at : at + _SPOKEN_VALUE]
    word = secret_values.bare(beginning, 0)
    return word is not None and opaque(beginning[: word.end])


def _is_a_value(assignment: NamedValue, found: str) -> bool:
    """Not ``in `next_token': undefined method``, as Ruby writes it, nor ``Unexpected token: ']'``,
    nor a name, as in ``secret "db" not found``."""
    before = assignment.text[max(0, assignment.start - 11) : assignment.start]
    if (before.endswith("`") and assignment.quote == "'") or before.lower() == "unexpected ":
        return False
    if assignment.secrecy is Secrecy.PASSWORD or not assignment.spoken:
        return True
    return opaque(found) or (":" in assignment.operator and len(found) >= _LONG)


def mask_assignments(text: str) -> str:
    """The text with each secret value replaced, its name and its quotes kept."""
    pieces: list[str] = []
    done = 0
    for value in _secret_values(text):
        pieces += (text[done : value.start], MASK)
        done = value.end
    return "".join((*pieces, text[done:])) if pieces else text


ASSIGNMENTS = Masker(
    rf"{secret_names.CUE}[\w-]*( (key|token|string|phrase|code))?"
    r"(([\"'`\\\]]|&(quot|#3[49]);|%(25)?2[27]|\\+u002[27]|\\+x2[27])*\s*"
    r"([:=>\"'`,?\x{2192}\x{FF1A}\x{FF1D}]|!=|%(25)?3[ad]|\\+u003[ad]|&#(61|x3d);"
    r"|[\"'\\]*(value|content|val)[\"'\\]*\s*[:=])([^*]|\*{1,2}[^*]|\*{3}[^\s,;)\"'}\]&])"
    r"|\s+((is|was|provided|given|used|entered):?\s+|(value|header):\s|(is |was |of )?(to |set to )?[\"'`]))"
    r"|[?&;#](code|state|hash|sas|relaystate|hdn..)=|(?i)phrase\s*[:=]",
    mask_assignments,
)
