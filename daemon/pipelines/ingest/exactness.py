"""Values that a column would change: a number rounded to its scale, a time cut off to its day.

DuckDB's casts do so without a word. Here such a value does not fit, as any other that cannot be cast.
FLOAT and DOUBLE hold the nearest number by their nature; only what becomes infinite does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM")
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")
_DOUBTS: Mapping[str, str] = {"FLOAT": "[eE]|[0-9_]{39}", "DOUBLE": "[eE]|[0-9_]{309}", "DATE": ":"}


def doubts(type_: str) -> str | None:
    """Pattern in the text of every value that a cast to the type may change; None if none is.

    `type_` is the type as a table shows it. Both Python and DuckDB (RE2) understand the pattern.
    """
    scale = _scale(type_)
    return _DOUBTS.get(type_) if scale is None else rf"[eE]|\.[0-9_]{{{scale + 1}}}"


def exact(value: str, converted: str, type_: str) -> str | None:
    """SQL of whether `converted` is all of `value`; None where a cast that works is always exact.

    `value` may be text or of any type.
    """
    doubtful = doubts(type_)
    if doubtful is None:
        return None
    text = f"{value}::VARCHAR"
    return f"(NOT regexp_matches({text}, '{doubtful}') OR {_kept(text, converted, type_)})"


def _kept(text: str, converted: str, type_: str) -> str:
    scale = _scale(type_)
    if scale is not None:
        # DuckDB lets 10.5e2 into a DECIMAL(4,1), which has no place for it
        return f"({_fits(text, scale)} AND TRY_CAST({converted}::VARCHAR AS {type_}) IS NOT NULL)"
    if type_ == "DATE":
        return f"TRY_CAST({text} AS TIMESTAMP) = {converted}"
    return f"NOT isinf({converted})"


def _scale(type_: str) -> int | None:
    """Digits after the point that a column of exact numbers keeps."""
    if _INTEGERS.fullmatch(type_):
        return 0
    found = _DECIMAL.fullmatch(type_)
    return int(found[1]) if found else None


def _fits(text: str, scale: int) -> str:
    """Digits after the point, less the exponent and the zeros that the digits end with."""
    digits = f"regexp_replace(regexp_extract({text}, '^[^eE]*'), '[^0-9]', '', 'g')"
    significant = f"rtrim({digits}, '0')"
    fraction = rf"len(replace(regexp_extract({text}, '\.([0-9_]*)', 1), '_', ''))"
    exponent = rf"coalesce(TRY_CAST(regexp_extract({text}, '[eE]([-+]?[0-9]+)', 1) AS BIGINT), 0)"
    zeros = f"(len({digits}) - len({significant}))"
    return f"({significant} = '' OR {fraction} - {exponent} - {zeros} <= {scale})"
