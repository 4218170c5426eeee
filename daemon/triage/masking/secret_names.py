"""Which names say that their value is secret, and how surely."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache


class Secrecy(Enum):
    """How surely a name announces a secret, and how far its value reaches."""

    NONE = 0
    WEAK = 1
    """A secret unless the text reads like a sentence: ``token``, ``signature``."""
    PASSWORD = 2
    """Always a secret, of any characters."""
    HEADER = 3
    """Of HTTP: all that follows on the line is the value."""


CUE = (
    r"(?i)(pass|pwd|pw|secret|credential|key|sig|token|session|connection|hmac|otp|auth|cookie|jwt"
    r"|sid|nonce|pin|salt|psk|cv[vc]|bearer|kennwort|contrase|senha|assertion|saml|ticket|policy|jaas|plt)"
)
"""RE2 pattern: every secret name holds one of these."""

_PASSWORD = re.compile(
    r"pass(?:word|wd|wort|phrase|code|$)|pwd|_pass$|^pw$|kennwort|contrase|senha$|^psk$|"
    r"^(?:require|master|db|user|smtp|mysql|pg)[-_]?(?:pass|auth)$",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?:proxy-|x-[a-z-]{0,32})?authori[sz]ation|(?:set-)?cookie2?|"
    r"(?:http[-_])?x-[a-z-]*(?:key|token|auth|signature|secret|session)[a-z-]*|"
    r"(?:http_)?(?:proxy_)?authorization|http_cookie|http_x_[a-z_]*(?:key|token|auth|signature|secret)|"
    r"(?:api|apikey|private|ocp-apim-subscription|dd-api|dd-application|x-goog-api|circle)-(?:key|token)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"secret|credential|(?:api|app|auth|access|private|account|shared|encryption|signing|master|storage|"
    r"license|subscription|ssh|client|service|primary|secondary|root|deploy)[-_ ]?key|shared_?access_?signature|"
    r"(?:access|refresh|id|auth|bearer|session|security|csrf|xsrf|api|oauth|bot|reset|deploy|push|device|"
    r"personal|identity|user|client)[-_ ]?token|session[-_]?(?:id|key)|connection[-_ ]?string|hmac|otp$|"
    r"(?:token|signature|sig|nonce|auth|jwt|sid|pin|salt|cvv2?|cvc2?|bearer|sessid|(?:client|saml)[-_]?assertion|"
    r"saml(?:response|request)?)$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"(?i:exception|error|failure|compass|bypass)$|^(?i:max|min|num|total|n)_?(?i:tokens?)$"
    r"|[-_](?i:file|path|env|ur[li]|name|type|length|len|count|field|column|expir[a-z]*|expires_(?:in|at)|ttl"
    r"|policy|enabled|required|age|endpoint|provider|status|limit|version)$"
    r"|[a-z](?:File|Path|Env|Ur[li]|Name|Type|Length|Count|Field|Column|Expir[a-z]*|ExpiresIn|Policy"
    r"|Enabled|Required|Age|Endpoint|Provider|Status|Limit|Version)$"
)
_IN_QUERY = re.compile(
    r"key|code|state|hash|sig|credential|ticket|policy|sas|passcode|assertion|client_assertion|"
    r"id_token_hint|oauth_[a-z]{1,32}|saml[a-z]{1,16}|key-pair-id|awsaccesskeyid|googleaccessid|hdn(?:ts|ea)|"
    r"plt|x-(?:amz|goog|oss|cos|ms)-(?:signature|credential|security-token)|q-signature|relaystate",
    re.IGNORECASE,
)
_LONGEST = 256


@lru_cache(maxsize=4096)
def secrecy(name: str) -> Secrecy:
    """What a name says of its value."""
    name = name[-_LONGEST:]
    if _HARMLESS.search(name):
        return Secrecy.NONE
    if _HEADER.fullmatch(name):
        return Secrecy.HEADER
    if _PASSWORD.search(name):
        return Secrecy.PASSWORD
    return Secrecy.WEAK if _TOKEN.search(name) else Secrecy.NONE


def secret_in_query(name: str) -> bool:
    """Whether it is secret as a parameter of a URL, besides what is secret everywhere."""
    return _IN_QUERY.fullmatch(name) is not None
