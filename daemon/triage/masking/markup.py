"""Masking of secrets in XML and HTML, where the name is that of an element or an attribute beside it."""

from __future__ import annotations

import re

from daemon.triage.masking.masker import MASK, Masker
from daemon.triage.masking.secret_names import CUE, Secrecy, secrecy

_ELEMENT = re.compile(
    r"(?P<before>(?:<|&lt;)(?:[\w.-]{1,64}:)?(?P<name>[A-Za-z_][\w.-]{0,63})(?:\s[^<>\n]{0,256})?(?:>|&gt;)"
    r"(?:\s{0,64}<!\[CDATA\[)?)(?P<value>[^<&\]]++)(?=</|&lt;/|\]\]|&)"
)
_PROPERTY = re.compile(
    r"(?P<before><(?:key|name|string)>\s{0,4}(?P<name>[^<>]{1,64})</(?:key|name|string)>\s{0,64}<(?:string|value)>)"
    r"(?P<value>[^<]++)"
)


def _value(match: re.Match[str]) -> str:
    secret = secrecy(match["name"]) is not Secrecy.NONE and not match["value"].isspace()
    return match["before"] + MASK if secret else match[0]


MARKUP = (
    Masker(rf"(<|&lt;)[\w.:-]*{CUE}[^<\n]*(>|&gt;)", lambda text: _ELEMENT.sub(_value, text)),
    Masker(rf"<(key|name|string)>\s*[^<>]*{CUE}", lambda text: _PROPERTY.sub(_value, text)),
)
