"""Values of secret HTTP headers, in all the ways in which programs print headers."""

from __future__ import annotations

import re

from daemon.triage.masking import secret_values
from daemon.triage.masking.secret_values import SecretValue

_STOP = r"(?!\\{1,4}[rn])"
_PARAMETER = rf"[\w-]{{1,64}}[ ]?=[ ]?(?:\\{{0,8}}\"[^\"\n]*+\"|(?:{_STOP}[^\s,\"'])*+)"
_PARAMETERS = re.compile(
    rf"(?:[A-Za-z][\w-]{{1,40}}\s{{1,8}})?{_PARAMETER}(?:[,;]\s{{0,8}}{_PARAMETER})++(?:[ ]{{0,2}};[ ]?[\w-]{{1,64}})*+"
)
_SCHEME = re.compile(
    r"(?i:Bearer|Basic|Token|Negotiate|NTLM|ApiKey|Api-Key|Key|GenieKey|Splunk|SSWS|Bot|AWS|GoogleLogin|Digest|"
    rf"SharedKey|SharedAccessSignature|OAuth|Hawk|JWT|PVEAPIToken)(?:\s{{1,8}}|%20|\+)(?:{_STOP}[^\s\"'<>;)}}\]])++"
)
_SCHEME_ALONE = re.compile(
    r"(?i:Bearer|Basic|Digest|Negotiate|NTLM)(?:[\"'`]|[ \t]*(?:\Z|\r?\n(?![ \t])))"
)
_LIST = re.compile(r"(?<=.)(?:\[[^\]\r\n]{1,4096}+\]|\[\s{1,64}[\"'][^\]]{1,4096}+\])", re.DOTALL)
_MASKED = re.compile(r"\*\*\*(?![^\s\"',;)}\]])")
_REST = re.compile(rf"(?:{_STOP}[^\r\n\"'}}])++")
_LINE = re.compile(
    rf"(?:[A-Za-z-]{{1,32}}[ \t]{{0,4}}\r?\n[ \t]{{1,16}}(?=\S))?(?:{_STOP}[^\r\n])++(?:(?<=[;,])\r?\n[ \t]++[^\r\n]++)*+"
)


def header_value(text: str, at: int, *, begins_line: bool) -> SecretValue | None:
    """What to mask of a header whose value begins at `at`; all that follows on a line of its own."""
    if value := _value(_LIST, text, at) or secret_values.quoted(text, at):
        return value
    if _SCHEME_ALONE.match(text, at):
        return None
    if begins_line:
        return _value(_LINE, text, at)
    for pattern in (_MASKED, _PARAMETERS, _SCHEME, _REST):
        if value := _value(pattern, text, at):
            return value
    return None


def _value(pattern: re.Pattern[str], text: str, at: int) -> SecretValue | None:
    found = pattern.match(text, at)
    return SecretValue(found.start(), found.end()) if found else None
