"""How endpoints are declared: what they take, what they may answer, and that they run in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from litestar import get, post
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi import ResponseSpec

from api.description import Content, answer, operation, problems
from api.query import Query, parse, reader

Role = Literal["read", "operate"]


def reads(
    path: str | list[str],
    query: type[Query] = Query,
    *,
    role: Role | None = "read",
    content: Content | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """A GET endpoint whose handler blocks. It takes the parameters of `query`, and no others.

    A role of None lets everybody in.
    """
    responses = problems(400, 401, 403, 421, 500, 503)
    if content is not None:
        responses[200] = answer(content)
        options["media_type"] = content.media_type
    also = content.also if content else ()
    return get(path, opt={"role": role}, **_options(path, query, responses, also), **options)


def commands(
    path: str, *also: int, **options: Any
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """A POST endpoint whose handler blocks, for keys that may operate.

    `also` are problems that its path does not tell it may answer with.
    """
    responses = problems(400, 401, 403, 409, 413, 415, 421, 500, 503, *also)
    return post(path, opt={"role": "operate"}, **_options(path, Query, responses), **options)


def asks(path: str, **options: Any) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """A POST endpoint that only reads: a question too long for a path, for keys that may read.

    It changes nothing, so nothing is written down of who asked.
    """
    responses = problems(400, 401, 403, 413, 415, 421, 500, 503)
    return post(
        path, opt={"role": "read"}, status_code=200, **_options(path, Query, responses), **options
    )


def _options(
    path: str | list[str],
    query: type[Query],
    responses: dict[int, ResponseSpec],
    also: Iterable[str] = (),
) -> dict[str, Any]:
    if "{" in str(path):
        responses |= problems(404)
    return {
        "guards": [_without_parameters] if query is Query else [],
        "dependencies": {"wanted": Provide(reader(query), sync_to_thread=False)},
        "operation_class": operation(query, also),
        "responses": responses,
        "sync_to_thread": True,
    }


def _without_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Refuses parameters where there are none."""
    parse(Query, connection.scope["query_string"])
