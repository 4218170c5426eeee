"""Masking of secrets in SQL: passwords of users, and values of columns whose name says that they are secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from daemon.triage.masking.masker import MASK, Masker, shape
from daemon.triage.masking.secret_names import Secrecy, secrecy

_LITERAL = r"(?:\\{0,4}'(?:[^'\\]|''|\\[^'])*+\\{0,4}'?|\\{0,4}\"(?:[^\"\\]|\\[^\"])*+\\{0,4}\"?)"
_COLUMNS = re.compile(
    r"(?:(?i:\b(?:INSERT|REPLACE|UPSERT|MERGE)\b[^()\n]{1,256})|\b(?i:Key)[ ])\(([^()]{1,4096})\)\s{0,64}"
    r"(?:(?:OVERRIDING \w{1,16} VALUE\s{1,8}|OUTPUT [\w., ]{1,256})?(?i:VALUES?)\s{0,64}|=)(?=\()"
)
_ROW = re.compile(
    rf"\((?P<row>(?:[NnEeXxUu]?{_LITERAL}|[^()'\"]|\((?:{_LITERAL}|[^()'\"])*+\))*+)\)\s{{0,8}}(?P<more>,\s{{0,64}}(?=\())?",
    re.DOTALL,
)
_FIELD = re.compile(
    rf"\s*+(?P<value>(?:[NnEeXxUu]?{_LITERAL}|[^,()'\"]|\((?:{_LITERAL}|[^()'\"])*+\))*+)(?:,|\Z)",
    re.DOTALL,
)
_PARAMETERS = re.compile(
    r"[^\n]{0,1024}\n?\[?(?i:parameters|params|bind|args)\s{0,2}[:=]\s{0,2}\[?(?=\()"
)
_PLACEHOLDER = re.compile(
    r"\?|%s|:\w{1,64}|\$\d{1,4}|@\w{1,64}|%\(\w{1,64}\)s|NULL|DEFAULT|null|\*\*\*|'\*\*\*'|"
)


def _mask_rows(text: str) -> str:
    pieces: list[str] = []
    done = 0
    for header in _COLUMNS.finditer(text):
        if header.start() < done:
            continue
        secret = {i for i, name in enumerate(header[1].split(",")) if _is_secret(name)}
        for start, end in _secret_fields(text, header.end(), secret) if secret else ():
            pieces += (text[done:start], _in_quotes(text[start:end]))
            done = end
    return "".join((*pieces, text[done:])) if pieces else text


def _is_secret(column: str) -> bool:
    return secrecy(column.strip(" \t\r\n\"'`[]\\")) is not Secrecy.NONE


def _in_quotes(value: str) -> str:
    return f"'{MASK}'" if value.lstrip("NnEeXx\\")[:1] in ("'", '"') else MASK


def _secret_fields(text: str, at: int, secret: set[int]) -> Iterator[tuple[int, int]]:
    """Where the values of secret columns are, in each row and in what is bound to placeholders."""
    row = _ROW.match(text, at)
    while row:
        yield from _fields_of(text, row, secret)
        at = row.end()
        row = _ROW.match(text, at) if row["more"] else None
    bound = _PARAMETERS.match(text, at)
    if bound and (row := _ROW.match(text, bound.end())):
        yield from _fields_of(text, row, secret)


def _fields_of(text: str, row: re.Match[str], secret: set[int]) -> Iterator[tuple[int, int]]:
    position, end = row.start("row"), row.end("row")
    for number in range(max(secret) + 1):
        field = _FIELD.match(text, position, end)
        if field is None or position >= end:
            return
        if number in secret and not _PLACEHOLDER.fullmatch(field["value"].strip()):
            yield field.start("value"), field.start("value") + len(field["value"].rstrip())
        position = field.end()


SQL = (
    shape(
        r"(?i)identified +(by|with|via)",
        r"((?i:\bIDENTIFIED\s{1,4}(?:WITH|VIA)\s{1,4}[\"'`]?\w{1,64}[\"'`]?\s{1,4}(?:BY|AS|USING)|\bIDENTIFIED\s{1,4}BY)"
        r"(?i:\s{1,4}PASSWORD|\s{1,4}VALUES)?\s{1,4})"
        rf"(?!(?i:RANDOM)\b)(?:{_LITERAL}|[^\s;,)]++)",
        lambda match: match[1] + _in_quotes(match[0][len(match[1]) :]),
    ),
    shape(
        r"(?i)\b(password|secret|key_id|token|credentials|key|old_password|session_token)\s*\(?\s*[NE]?\\*[\"'`$]",
        r"(\b(?:(?i:PASSWORD|OLD_PASSWORD)|SECRET|KEY_ID|TOKEN|CREDENTIALS|SESSION_TOKEN|ACCESS_KEY)\s{0,4}\(?\s{0,4}[NE]?)"
        rf"(?!\\{{0,4}}'\*\*\*|\\{{0,4}}\"\*\*\*)(?<![:=,])({_LITERAL}|\$\$[^$]{{1,256}}\$\$)(?!\s{{0,2}}[:=\]])",
        lambda match: (
            match[1] + _in_quotes(match[2]) if " " in match[1] or "(" in match[1] else match[0]
        ),
    ),
    Masker(
        r"(?i)(insert|replace|upsert|merge)\s[^()]*\([^()]*(pass|pwd|secret|token|key|credential|hmac|otp|auth|cookie|jwt|pin|salt|cv[vc]|psk)"
        r"|key \([^()]*(pass|pwd|secret|token|key|credential|auth|pin|salt)[^()]*\)=\(",
        _mask_rows,
    ),
)
