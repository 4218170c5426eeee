"""Masking of passwords among the arguments of a command, as one line or as a printed list."""

from __future__ import annotations

import re

from daemon.triage.masking.masker import MASK, Masker, shape

_GAP = r"(?:[\"']?,?\s{1,4}[\"']?|=)"
"""Between an option and its value: a blank, or what a printed list has there."""
_ARGUMENT = r"(?:\"(?:[^\"\\\n]|\\.)++\"|'[^'\n]++'|(?:[^\s\"'\\]|\\.)++)"
_LINE = r"[^\n|]{0,512}?"
_OPTIONS_OF = {
    r"mysql\w{0,16}|mariadb[\w-]{0,16}|mongo\w{0,16}": r"-p",
    r"sshpass|htpasswd|docker|podman|helm|skopeo|oc|az|7z\w?|unrar": r"-p",
    r"redis-cli": r"-a|--pass",
    r"sqlcmd|bcp|isql|tsql|unzip|zip": r"-P",
    r"ldap\w{1,16}": r"-w",
    r"mosquitto_\w{3}|rsync|cqlsh|impala-shell|beeline": r"-[Pp]",
}
_OPTION = "|".join(
    rf"\b(?:{names})\b[\"']?{_LINE}(?<=[\s\"'])(?:{options})(?:{_GAP}|(?=[^\s\"'-]))"
    for names, options in _OPTIONS_OF.items()
)
_NO_PASSWORD = re.compile(
    r"[\"']?(?:\d{1,5}(?::\d{1,5})?(?:/tcp|/udp)?|/[^\s]*|\d+\.\d+\.\d+\.\d+:\d.*)[\"']?"
)
_OF_A_COMMAND = re.compile(rf"((?:{_OPTION}))(?!-)({_ARGUMENT})")


def _password_of_a_command(match: re.Match[str]) -> str:
    """``-p secret``, but neither a port nor a path."""
    return match[0] if _NO_PASSWORD.fullmatch(match[2]) else match[1] + _masked(match[2])


def _masked(argument: str) -> str:
    quote = argument[0] if argument[0] in "\"'" else ""
    return f"{quote}{MASK}{quote}"


COMMANDS = (
    shape(
        r"--?([\w-]*(pass|pwd|token|secret|key|auth|cred|bearer)[\w-]*|[uU]|user|proxy-user)([\"']?,? |[\"'])",
        r"((?<![^\s\"'\[(,])(?:--?(?:[\w-]{0,32}[-_])?(?:password|passwd|pass|passphrase|passcode|pwd|token|secret"
        r"|(?:api|access|account|secret|auth|private|encryption)[-_]?key|auth|creds|credentials|bearer)[\"']?,?\s{1,4}[bu]?"
        r"|(?:-u|-U|--user|--proxy-user)[\"']?,?\s{0,4}[bu]?(?=[\"']?[^\s:%\"']{1,128}[:%]\S)))(?!-)"
        rf"(?:{_ARGUMENT})",
        lambda match: match[1] + MASK,
    ),
    Masker(
        r"(?i)(mysql|mariadb|mongo|sshpass|htpasswd|docker|podman|helm|skopeo|\boc|\baz|7z|unrar|redis-cli|sqlcmd|bcp|isql"
        r"|tsql|zip|ldap|mosquitto_|rsync|cqlsh|impala-shell|beeline)[^\n]*[ \"'](-[pPaw]|--pass)",
        lambda text: _OF_A_COMMAND.sub(_password_of_a_command, text),
    ),
    shape("pass:", r"((?<![\w-])-pass(?:in|out)?\s{1,4}pass:|\bpass(?:in|out)?=pass:)[^\s\"']++"),
    shape(
        "sqlplus|(?i)imp |exp |rman ",
        r"(\bsqlplus\s{1,4}(?:-\w{1,8}\s{1,4}){0,4}[\"']?[\w$#]{1,64}/)[^\s@\"']++",
    ),
)
