"""Masking of e-mail addresses in every spelling that error messages use.

Plain, quoted local part, with a display name or a comment, URL-encoded, JSON-escaped, and in Unicode
(RFC 5321, 5322, 6531); those in disguise are found by `address_spellings`. Package versions (`lodash@4.17.21`) and decorators are not addresses and stay.
"""

from __future__ import annotations

import re

MASK = "[email]"

_AT = r"(?:[@\uff20\ufe6b]|%(?:25){0,3}40|\\{1,8}(?:u00|x)40|&(?:#64|#x40|commat);)"
_LOCAL = r"[\w.!#$'+=~^{}|`?-]|&(?!(?:#64|#x40|commat);)|%(?!(?:25){0,3}40)[0-9A-Fa-f]{2}|[^\x00-\x7f\s\w\uff20\ufe6b]"
_ADDRESS = re.compile(
    r"(?P<quoted>(?:(?P<escapes>\\{1,8})\"(?:(?!\\+\").){1,128}(?P=escapes)\"|\"(?:[^\"\\\n]|\\.){1,128}\")"
    r"(?=[@\uff20\ufe6b%\\&(]))?"
    rf"(?P<local>(?<![\w.!#$&'+=~^{{}}|`?-])(?<![^\x00-\x7f\s\uff20\ufe6b])(?<!%(?!(?:25){{0,3}}40)(?=[0-9A-Fa-f]{{2}}))(?:{_LOCAL})++)?"
    rf"(?:\([^()\n]{{0,64}}\))?{_AT}"
    r"(?P<domain>\[[0-9A-Fa-f:.IPv]{2,45}\]|(?:[\w.\u3002-]|%(?:25){0,3}2[Ee](?=\w))++)"
)
_ASSIGNMENT = re.compile(r"(?:.*[?&])?[A-Za-z_]+=(?=.)", re.DOTALL)
_NOT_A_START = "'.!#$&=~^{}|`?-"
_TOP_LEVEL = re.compile(r"(?:xn--[a-z0-9-]+|[^\W\d_]{2,}|local(?:host|domain))", re.IGNORECASE)
_ENCODED_DOT = re.compile(r"\u3002|%(?:25){0,3}2[Ee]")
_SCALED_PICTURE = re.compile(r"\dx\.\w+")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_ENCODED_NAME = re.compile(r"(?:=\?[^?\s]{1,40}\?[BbQq]\?[^?\s]{0,1024}\?=\s{1,4}){1,8}<\[email\]>")
_QUOTED_NAME = re.compile(r'"[^"\n]{1,128}"\s{0,4}<\[email\]>')
_HEADER_NAME = re.compile(
    r"\b(From|To|Cc|Bcc|Sender|Reply-To):[ \t]{0,4}[^<>\n\[\]]{1,100}<\[email\]>", re.IGNORECASE
)
_LOOSE_NAME = re.compile(
    r"(?<![^\s:,;(])([^\W\d_][^\W\d_]*+(?:[ '\u2019.-]{1,2}[^\W\d_]++){1,3}) <\[email\]>"
)


def mask_addresses(text: str) -> str:
    """The text with each address, and the name displayed with it, replaced by ``[email]``."""
    text = _ADDRESS.sub(_mask_one, text)
    if "<[email]>" in text:
        text = _ENCODED_NAME.sub(MASK, text)
        text = _QUOTED_NAME.sub(MASK, text)
        text = _HEADER_NAME.sub(rf"\1: {MASK}", text)
        text = _LOOSE_NAME.sub(_mask_name, text)
    return text


def _mask_one(match: re.Match[str]) -> str:
    local, domain = match["local"] or "", match["domain"]
    if not (local or match["quoted"]) or not _is_domain(domain):
        return match[0]
    trailing = domain[len(domain.rstrip(".-_。")) :]
    if match["quoted"]:
        return MASK + trailing
    if local == "git":  # the account of every SSH URL of a repository
        return match[0]
    kept = _not_of_the_address(local)
    return match[0] if kept == local else kept + MASK + trailing


def _not_of_the_address(local: str) -> str:
    """The part of what stands before the @ that belongs to the text: ``user=`` or a quote."""
    assignment = _ASSIGNMENT.match(local)
    rest = local[assignment.end() :] if assignment else local
    return local[: len(local) - len(rest.lstrip(_NOT_A_START))]


def _is_domain(domain: str) -> bool:
    if domain.startswith("["):
        return True
    domain = _ENCODED_DOT.sub(".", domain)
    labels = domain.rstrip(".-_").split(".")
    if _SCALED_PICTURE.fullmatch(domain):
        return False
    if len(labels) == 1:
        return labels[0].lower() in ("localhost", "localdomain")
    return bool(_TOP_LEVEL.fullmatch(labels[-1]) or _IPV4.fullmatch(domain.rstrip(".")))


def _mask_name(match: re.Match[str]) -> str:
    """Masks capitalised words before an address: ``Jane Doe <...>``, but not ``MAIL FROM <...>``."""
    words = match[1].split(" ")
    names = [word for word in words if word[:1].isupper() and not word.isupper()]
    if len(names) < 2:
        return match[0]
    kept = words[: words.index(names[0])]
    return " ".join([*kept, MASK])
