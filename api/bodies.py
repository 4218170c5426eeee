"""Request bodies of which every mistake is reported, where the framework's decoder stops at the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from api.problems import BadRequest, Mistake
from daemon.config.decode import decode_table
from daemon.errors import Problem

SHOWN_MISTAKES = 100


def checked(
    record: type[msgspec.Struct], check: Callable[[Any], list[Problem]] | None = None
) -> Guard:
    """Refuses a body that is no `record`, or in which `check` finds mistakes.

    The framework decodes the body again afterwards, as a record of the same type. What is no JSON is
    left to it. A null counts as a field that was left out.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        assert isinstance(connection, Request)
        try:
            body = _given(msgspec.json.decode(await connection.body()))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        found, problems = decode_table(body, record, "")
        if not problems and check is not None:
            problems = check(found)
        if problems:
            raise BadRequest([mistake(problem) for problem in problems[:SHOWN_MISTAKES]])

    return guard


def mistake(problem: Problem) -> Mistake:
    """A problem below a key path as a mistake in the body."""
    steps = problem.where.replace("~", "~0").replace("/", "~1").split(".")
    pointer = "".join(f"/{step}" for step in steps) if problem.where else ""
    return Mistake(_WORDS.get(problem.expected, _expectation(problem.expected)), pointer=pointer)


_WORDS = {"missing, but required": "a value, which is required", "expected a table": "an object"}
"""A configuration has tables and keys; a body has objects and fields."""


def _expectation(expected: str) -> str:
    text = expected.removeprefix("unknown key; ")
    other = "in place of this unknown field " if text != expected else ""
    return other + text.removeprefix("expected ")


def _given(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {name: _given(value) for name, value in body.items() if value is not None}
