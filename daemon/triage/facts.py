"""From an exception, or a bare message, to the `ErrorInfo` that classification works on.

Exceptions come from anyone's code: an attribute that raises, a `__str__` that fails or a fact of the
wrong type is survived and left out, because losing the report of a failure is worse than losing one
of its facts.
"""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import msgspec

from daemon import events
from daemon.triage.answers import answer_code, answer_detail
from daemon.truncation import MAX_INPUT_CHARS, clip

_UNINFORMATIVE_BASES = {"Exception", "BaseException", "object"}
# Their errno is a code of the resolver or of OpenSSL, not of the operating system.
_FOREIGN_ERRNO = {"socket.gaierror", "socket.herror", "ssl.SSLError"}
_LONGEST_CHAIN = 20
_RANGES = {"http_status": (100, 599), "errno": (0, 2**31 - 1), "retry_after": (0.0, 366 * 86_400.0)}
"""What a number may be; a year is longer than anybody waits."""
_CODES = {"sqlstate", "imap_code", "error_class", "exception_type"}
_LONGEST_NAME = 200
_ATTRIBUTES_OF_ANY = frozenset(dir(Exception))
_BARE_TYPES = frozenset(
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and set(dir(kind)) <= _ATTRIBUTES_OF_ANY
)
"""Exceptions of Python's own that have no attributes of their own."""


def describe(error: BaseException | str, /, **facts: Any) -> events.ErrorInfo:
    """The error with every structured fact that it or its causes carry. Never raises.

    `facts` are fields of `ErrorInfo` and win over what was found; those that are unknown, None or of
    the wrong type are left out.
    """
    given = _accepted(facts)
    if isinstance(error, BaseException):
        found = _quietly(_exception_facts, error) or _bare_facts(error)
        return events.ErrorInfo(**{**found, **given})
    return events.ErrorInfo(**{"message": clip(_text(error), MAX_INPUT_CHARS), **given})


def builtin_bases(exception: str | None) -> tuple[str, ...]:
    """Bases of an exception that Python itself knows by name: `describe` would have seen them."""
    kind = getattr(builtins, exception or "", None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return ()
    names = map(_type_name, kind.__mro__[1:])
    return tuple(name for name in names if name not in _UNINFORMATIVE_BASES)


@cache
def _fact_types() -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(events.ErrorInfo)}


def _accepted(facts: dict[str, Any]) -> dict[str, Any]:
    accepted = {}
    for name, value in facts.items():
        if value is None or name not in _fact_types():
            continue
        try:
            found = msgspec.convert(value, _fact_types()[name], strict=False)
        except Exception:  # noqa: BLE001, S112 - it may be of anyone's type
            continue
        if _makes_sense(name, found):
            accepted[name] = found
    return accepted


def _makes_sense(name: str, value: Any) -> bool:
    """Whether a number is one that there can be: not infinite, negative, or longer than is ever waited. Codes are short."""
    if isinstance(value, str):
        return name not in _CODES or len(value) <= _LONGEST_NAME
    least, most = _RANGES.get(name, (None, None))
    return least is None or bool(least <= value <= most)


def _bare_facts(error: BaseException) -> dict[str, Any]:
    """What is known of an exception that raises whatever it is asked."""
    return {"message": clip(_text(error), MAX_INPUT_CHARS), "exception_type": _own_name(error)}


def _own_name(error: BaseException) -> str:
    """Python's own word for its type, which no metaclass changes."""
    return str(type.__dict__["__name__"].__get__(type(error)))[:_LONGEST_NAME]


def _exception_facts(error: BaseException) -> dict[str, Any]:
    found: dict[str, Any] = {
        "message": clip(_message(error), MAX_INPUT_CHARS),
        "exception_type": _type_name(type(error)),
        "exception_bases": tuple(
            name
            for name in map(_type_name, type(error).__mro__[1 : 1 + _LONGEST_CHAIN])
            if name not in _UNINFORMATIVE_BASES
        ),
        "text": _traceback(error),
    }
    for link in _chain(error):
        if _is_bare(link):
            continue
        for name, find in _FINDERS.items():
            value = None if name in found else _quietly(find, link)
            if value is not None and _makes_sense(name, value):
                found[name] = value
    return found


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, then what it wraps and what caused it, each once, nearest first."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _LONGEST_CHAIN:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting.extend(cause for cause in _causes(link) if isinstance(cause, BaseException))


def _causes(error: BaseException) -> tuple[Any, ...]:
    context = None if error.__suppress_context__ else error.__context__
    wrapped = error.args[:1]
    named = () if _is_bare(error) else (_attribute(error, "orig"), _attribute(error, "reason"))
    return (*named, *wrapped, error.__cause__, context)


def _is_bare(error: BaseException) -> bool:
    """Whether it holds its arguments and nothing else that is asked for, as most of Python's own do."""
    return type(error) in _BARE_TYPES and not error.__dict__


def _errno(error: BaseException) -> int | None:
    if not isinstance(error, OSError):
        return None
    if not _FOREIGN_ERRNO.isdisjoint(map(_type_name, type(error).__mro__)):
        return None
    return error.errno if isinstance(error.errno, int) else None


def _sqlstate(error: BaseException) -> str | None:
    for name in ("sqlstate", "pgcode"):
        value = _attribute(error, name)
        if isinstance(value, str) and len(value) == 5:
            return value
    return None


def _http_status(error: BaseException) -> int | None:
    response = _attribute(error, "response")
    if isinstance(response, dict):
        response = response.get("ResponseMetadata")
        return _as_status(response.get("HTTPStatusCode") if isinstance(response, dict) else None)
    candidates = (
        _attribute(error, "status_code"),
        _attribute(response, "status_code"),
        _attribute(response, "status"),
        _attribute(error, "status"),
        _attribute(error, "code"),
    )
    return next((status for status in map(_as_status, candidates) if status), None)


def _as_status(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and 400 <= value <= 599 else None


def _retry_after(error: BaseException) -> float | None:
    value = _attribute(error, "retry_after")
    if value is None:
        for owner in (_attribute(error, "response"), error):
            headers = _attribute(owner, "headers")
            value = headers.get("Retry-After") if headers is not None else None
            if value is not None:
                return _seconds(str(value), headers.get("Date"))
    return None if value is None else _seconds(str(value), None)


def _seconds(value: str, date: str | None) -> float | None:
    """Seconds to wait. An HTTP date counts from the answer's own Date, so our clock plays no part."""
    try:
        seconds = float(value)
    except ValueError:
        if date is None:
            return None
        seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(date)).total_seconds()
    return seconds if 0 <= seconds < float("inf") else None


def _imap_code(error: BaseException) -> str | None:
    value = _attribute(error, "imap_code")
    return value if isinstance(value, str) and value else None


def _error_class(error: BaseException) -> str | None:
    value = _attribute(error, "error_class")
    return value if isinstance(value, str) and value else answer_code(error)


_FINDERS: dict[str, Callable[[BaseException], Any]] = {
    "errno": _errno,
    "sqlstate": _sqlstate,
    "http_status": _http_status,
    "retry_after": _retry_after,
    "error_class": _error_class,
    "imap_code": _imap_code,
}


def _type_name(kind: type) -> str:
    """`ValueError`, `json.decoder.JSONDecodeError`, `duckdb.IOException` (really in `_duckdb`)."""
    module = str(kind.__module__).lstrip("_")
    name = kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    return name[-_LONGEST_NAME:]


def _traceback(error: BaseException) -> str:
    notes = _quietly(lambda e: e.__notes__, error)
    if error.__traceback__ is None and error.__cause__ is None and not notes:
        return ""
    return clip(_quietly("".join, _quietly(_format, error) or ()) or "", MAX_INPUT_CHARS)


def _format(error: BaseException) -> list[str]:
    return traceback.format_exception(error)


def _message(error: BaseException) -> str:
    """Its own words, and those of the answer behind it, which say more than "400 Bad Request"."""
    message = _text(error)
    detail = None if _is_bare(error) else _quietly(answer_detail, error)
    return f"{message}: {detail}" if detail and detail not in message else message


def _text(error: object) -> str:
    """As plain text, also where it says a kind of text of its own."""
    return _quietly(lambda said: str.__str__(str(said)), error) or ""


def _attribute(owner: object, name: str) -> Any:
    try:
        return getattr(owner, name, None)
    except BaseException:  # noqa: BLE001 - as below; asked often, so without a function for each
        return None


def _quietly(find: Callable[[Any], Any], subject: object) -> Any:
    try:
        return find(subject)
    except BaseException:  # noqa: BLE001 - an error that cannot be described is still reported
        return None
