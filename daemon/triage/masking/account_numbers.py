"""Masking of payment card numbers and IBANs, told from other numbers by their check digits."""

from __future__ import annotations

import re

from daemon.triage.masking.masker import Masker

CARD = "[card]"
IBAN = "[iban]"

_SEPARATOR = r"[ .\u00a0\u2009-]"
_CARD = re.compile(
    r"(?<![\w.])(?<![\w]-)"
    rf"(?:\d{{13,19}}+|\d{{4}}(?P<s>{_SEPARATOR})\d{{4}}(?P=s)\d{{4}}(?P=s)\d{{1,4}}(?:(?P=s)\d{{1,3}})?"
    rf"|\d{{4}}(?P<t>{_SEPARATOR})\d{{6}}(?P=t)\d{{4,5}})"
    r"(?![\w]|[.-]\d)"
)
_BRANDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12})"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12,15}"  # Discover
    r"|3(?:0[0-59]|[689]\d)\d{11,16}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|62\d{14,17}|81\d{14}"  # UnionPay
    r"|(?:50[0-9]{2}|5[6-8]\d\d|6304|6390|67\d\d)\d{9,15}"  # Maestro
    r"|220[0-4]\d{12,15}"  # Mir
    r"|(?:60|65|8[12])\d{14}|9792\d{12}"  # RuPay, Troy
)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_NOT_A_DIGIT = re.compile(r"\D")

_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}+|(?:[ -][A-Z0-9]{4}){2,7}+(?:[ -][A-Z0-9]{1,3})?)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG DZ", 25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
"""Characters of an IBAN by country, of the registry of SWIFT (ISO 13616)."""


def _card(match: re.Match[str]) -> str:
    digits = _NOT_A_DIGIT.sub("", match[0])
    return CARD if _BRANDS.fullmatch(digits) and _luhn(digits) else match[0]


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0


def _iban(match: re.Match[str]) -> str:
    """Masks it where its length is that of its country and its remainder is 1 (ISO 7064)."""
    found = match[0]
    for end in range(len(found), 14, -1):
        compact = found[:end].replace(" ", "").replace("-", "").upper()
        if found[end:][:1].isalnum() or _LENGTHS.get(compact[:2]) != len(compact):
            continue
        if int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1:
            return IBAN + found[end:]
    return found


ACCOUNT_NUMBERS = (
    Masker(r"[0-9]{4}([0-9]{9}|[ .\x{a0}\x{2009}-][0-9]{4})", lambda text: _CARD.sub(_card, text)),
    Masker(
        r"(?i)\b[a-z]{2}[0-9]{2}([a-z0-9]{11}|[ -][a-z0-9]{4}[ -])",
        lambda text: _IBAN.sub(_iban, text),
    ),
)
