"""Masking of credentials in the lines of protocols: IMAP, POP, SMTP, FTP, Redis, SASL."""

from __future__ import annotations

import re

from daemon.triage.masking.masker import MASK, after_prefix, shape, when_opaque

_SAID_OF_LOGIN = {
    *("failed", "command", "denied", "disabled", "error", "not", "is", "was", "request", "failure"),
    *("attempt", "required", "method", "with", "for", "to", "from", "name", "page", "server"),
    *("incorrect", "invalid", "aborted", "rejected", "limit", "first", "and", "or", "timed", "at"),
}
_ARGUMENT = r"""(?:\\?"(?:[^"\\]|\\[^"]|\\"(?=[^\s"']))*+\\?"?|[^\s"']++)"""
_NAME = _ARGUMENT.replace("*+", "{0,512}+")
"""Who logs in. Bounded: else each of many open quotes is followed to the end of the text."""
_PASSWORD = _ARGUMENT.replace("*+", "{0,4096}+")
_LITERAL = r"\{\d{1,6}\+?\}(?:\\r|\\n|\s){1,8}"
_LINE_START = (
    r"(?:^|[\n>\"'<]|\\n|\b(?:[CS]|send|client|Client|sent|Sent|out|OUT):)[ ]{0,4}[bu]?[\"']?"
)
"""What stands before a command: nothing, the quotes of a repr, or who said it."""


def _login(match: re.Match[str]) -> str:
    """``LOGIN user password``, but not a sentence about logging in."""
    untagged = match[1].upper().startswith("LOGIN")
    said = untagged and match[2].lower().strip('"') in _SAID_OF_LOGIN
    return match[0] if said else match[1] + MASK


LOGINS = (
    shape(
        r"(LOGIN|[0-9] (?i:login)) +[^ ]+ *[ {]",
        rf"((?:(?:\b[A-Za-z]{{1,8}}|^|(?<=[\n>\"\']) ?)\d{{1,8}} (?i:LOGIN)|\bLOGIN) {{1,4}})(?!\*\*\*)(?:{_LITERAL})?({_NAME}) {{1,4}}"
        rf"(?:{_LITERAL})?{_PASSWORD}(?=[\"'\s)]{{0,4}}(?:$|\n|\\+r|\\+n))",
        _login,
    ),
    shape(
        "(?i)AUTH(ENTICATE)? +[A-Za-z0-9-]+[ \n\\\\]+",
        r"(\b(?i:AUTH(?:ENTICATE)?) {1,4}[A-Za-z0-9-]{1,20}[ \t]{1,4})([A-Za-z0-9+/=]{4,}+)",
        when_opaque,
    ),
    # The answers to "Username:" and "Password:", which a server asks for in base64.
    shape(
        "334 |UGFzc3dvcmQ|VXNlcm5hbWU",
        r"((?:334|\+) (?:UGFzc3dvcmQ|VXNlcm5hbWU)[\w=]{1,4}[^\w]{1,12}(?:(?:[rn]\b|[CS]:|send:|b?['\"]|>|<-|->)[^\w]{0,8}){0,4})"
        r"(?!\*\*\*)[A-Za-z0-9+/=]{2,}+",
    ),
    shape(
        r"(?i)login\s+[^ ]+\s+(account\s+[^ ]+\s+)?password\s",  # of a .netrc
        r"(\blogin\s{1,16}\S{1,128}\s{1,16}(?:account\s{1,16}\S{1,128}\s{1,16})?password\s{1,16})\S++",
    ),
    shape("PASS ", rf"({_LINE_START}PASS {{1,4}})[^\r\n\"'\\]++"),
    shape("APOP ", r"(\bAPOP {1,4}[^\s\"']{1,128} {1,4})[0-9A-Fa-f]{8,}+"),
    shape(
        r"(?i)(auth|requirepass|masterauth|hello +[23] +auth)\\*[\"']? +\\*[\"']?[^ ]",
        rf"((?:{_LINE_START}\"?AUTH\"?|\b(?i:HELLO) {{1,4}}[23] {{1,4}}AUTH|\b(?:requirepass|masterauth)\"?) {{1,4}}\"?)"
        r"(?!(?i:LOGIN|PLAIN|CRAM|SCRAM|DIGEST|XOAUTH|OAUTH|NTLM|GSSAPI|EXTERNAL|failed|failure|error|command|required|is|not|called|token|key|method|mechanism)\b)"
        r"[^\r\n]++",
        after_prefix,
    ),
    shape(
        "SCRAM|[,\"' ]p=[A-Za-z0-9+/]",
        r"(\b[cr]=[\w+/=-]{2,128},(?:r=[^\s,]{1,256},)?p=)[A-Za-z0-9+/=]{8,}+",
    ),
)
