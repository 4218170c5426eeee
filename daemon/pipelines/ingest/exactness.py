"""Values that a column would change: a number rounded to its scale, a time without its offset or its PM.

DuckDB's casts do so without a word. Here such a value does not fit, as any other that cannot be cast.
FLOAT and DOUBLE hold the nearest number by their nature; only what becomes infinite does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from daemon.pipelines.ingest.types import (
    ListType,
    MapType,
    StructType,
    TypeTree,
    is_nested,
    parsed,
    written,
)

_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM")
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")
_SHORT_YEAR = r"^ *-?[0-9]{1,3}[-/ \\]"
"""A year of two digits is one of the first century to DuckDB."""
_FRACTIONS: Mapping[str, int] = {
    "TIMESTAMP_S": 0,
    "TIMESTAMP_MS": 3,
    "TIMESTAMP": 6,
    "TIMESTAMP WITH TIME ZONE": 6,
    "TIMESTAMP_NS": 9,
    "TIME": 6,
}
"""Digits of a second that a type keeps."""
_TIMESTAMP = rf"[^-0-9T:./ \\]|:.*-|:[0-9.]* +.|{_SHORT_YEAR}"
_NAIVE = r"^ *-?[0-9]+[-/ \\][0-9]+[-/ \\][0-9]+([ T]+[0-9]{1,2}:[0-9]{2}(:[0-9.]*)?)? *$"
"""A time that names no zone: in that of the ingestion it may be one that the clocks skipped."""
_DOUBTS: Mapping[str, str] = {
    "FLOAT": "[eE]|[0-9_]{39}",
    "DOUBLE": "[eE]|[0-9_]{309}",
    "DATE": rf"[^-0-9/ \\]|{_SHORT_YEAR}",
    "TIME": "[^0-9:.]",
    "TIMESTAMP_S": _TIMESTAMP,
    "TIMESTAMP_MS": _TIMESTAMP,
    "TIMESTAMP": _TIMESTAMP,
    "TIMESTAMP_NS": _TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": rf"{_SHORT_YEAR}|{_NAIVE}",
}


def doubts(type_: str) -> str | None:
    """Pattern in the text of every value that a cast to the type may change; None if none is.

    `type_` is the type as a table shows it. Both Python and DuckDB (RE2) understand the pattern.
    """
    if is_nested(type_):
        return "."
    if type_ in _FRACTIONS:
        return rf"{_DOUBTS[type_]}|\.[0-9]{{{_FRACTIONS[type_] + 1}}}"
    scale = _scale(type_)
    return _DOUBTS.get(type_) if scale is None else rf"[eE]|\.[0-9_]{{{scale + 1}}}"


def exact(value: str, converted: str, type_: str) -> str | None:
    """SQL of whether `converted` is all of `value`; None where a cast that works is always exact.

    `value` may be text or of any type; of a nested one, its nested text (see `textual`). Neither is NULL.
    """
    if is_nested(type_):
        return _all_exact(value, converted, parsed(type_))
    doubtful = doubts(type_)
    if doubtful is None:
        return None
    text = f"{value}::VARCHAR"
    kept = f"coalesce({_kept(text, converted, type_)}, false)"
    return f"(NOT regexp_matches({text}, '{doubtful}') OR {kept})"


def _all_exact(value: str, converted: str, type_: TypeTree, depth: int = 0) -> str:
    """SQL of whether all that a nested value is made of arrived as it was."""
    match type_:
        case ListType(of):
            inner = _all_exact(f"p{depth}[1]", f"p{depth}[2]", of, depth + 1)
            zipped = f"list_zip({value}, {converted}::{written(of)}[])"
            checked = f"list_bool_and(list_transform({zipped}, lambda p{depth}: {inner}))"
            return f"coalesce({checked}, true)"
        case StructType(fields):
            return " AND ".join(
                f"({_all_exact(f'{value}.{name}', f'{converted}.{name}', of, depth)})"
                for name, of in fields
            )
        case MapType(key, of):
            keys, values = (
                _all_exact(
                    f"map_{part}({value})", f"map_{part}({converted})", ListType(part_type), depth
                )
                for part, part_type in (("keys", key), ("values", of))
            )
            return f"{keys} AND {values}"
        case _:
            check = exact(value, converted, type_) or "true"
            return f"({value} IS NULL OR ({converted} IS NOT NULL AND {check}))"


def _kept(text: str, converted: str, type_: str) -> str:
    scale = _scale(type_)
    if scale is not None:
        # DuckDB lets 10.5e2 into a DECIMAL(4,1), which has no place for it
        return f"({_fits(text, scale)} AND TRY_CAST({converted}::VARCHAR AS {type_}) IS NOT NULL)"
    if type_ in ("FLOAT", "DOUBLE"):
        return f"NOT isinf({converted})"
    return f"({_whole(text, type_)} AND {_same_time(text, converted, type_)})"


def _whole(text: str, type_: str) -> str:
    """SQL of whether neither the century nor a part of a second is left out."""
    beyond = rf"\.[0-9]{{{_FRACTIONS.get(type_, 0)}}}[0-9]*[1-9]"
    return f"NOT regexp_matches({text}, '{beyond}|{_SHORT_YEAR}')"


def _same_time(text: str, converted: str, type_: str) -> str:
    """SQL of whether a time is that of the text with what casts leave out: a zone, PM, other words.

    The casts to types with a zone read all of a text, or refuse it; but where clocks are put forward they move a
    time that there was not by an hour.
    """
    if type_ == "TIME":
        return f"{converted}::TIMETZ = TRY_CAST({text} AS TIMETZ)"
    if type_ == "TIMESTAMP WITH TIME ZONE":
        there = f"{converted}::TIMESTAMP = TRY_CAST({text} AS TIMESTAMP)"
        return f"(NOT regexp_matches({text}, '{_NAIVE}') OR {there})"
    return f"TRY_CAST({text} AS TIMESTAMPTZ)::TIMESTAMP = {converted}::TIMESTAMP"


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
