"""Request bodies: those that cannot be read are mistakes of the client, and of the others every mistake is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import SerializationException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from api.problems import BadRequest, Mistake
from daemon.config.decode import decode_table
from daemon.errors import Problem

SHOWN_MISTAKES = 100
_UNREADABLE = Mistake("JSON in UTF-8 that is not nested so deeply", pointer="")


class BodyRequest(Request[Any, Any, Any]):
    """A request whose body, whatever its bytes, is read or refused."""

    async def json(self) -> Any:
        """The body. Raises `BadRequest` for what the framework's decoder takes for an error of ours."""
        try:
            return await super().json()
        except (RecursionError, UnicodeDecodeError):
            raise BadRequest([_UNREADABLE]) from None


def checked(
    record: type[msgspec.Struct], check: Callable[[Any], list[Problem]] | None = None
) -> Guard:
    """Refuses a body that is no `record`, or in which `check` finds mistakes.

    The framework makes a record of the same type of it afterwards. What is no JSON is left to it. A null
    counts as a field that was left out.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        assert isinstance(connection, Request)
        if not await connection.body():
            return
        try:
            found, problems = decode_table(_given(await connection.json()), record, "")
        except SerializationException:
            return
        except RecursionError:
            raise BadRequest([_UNREADABLE]) from None
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
