"""How endpoints are declared: what they take, what they may answer, and that they run in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from litestar import delete, get, post, put
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.types import Guard

from api.description import Content, answer, operation, problems, security
from api.query import Query, fields_of, parse, reader
from api.tags import tags_of
from daemon.access.roles import Role

Method = Literal["POST", "PUT", "DELETE"]
_COMMANDS = {"POST": post, "PUT": put, "DELETE": delete}


def reads(
    path: str,
    query: type[Query] = Query,
    *,
    role: Role | None = "read",
    limited: bool = True,
    content: Content | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """A GET endpoint whose handler blocks. It takes the parameters of `query`, and no others.

    A role of None lets everybody in. What is not `limited` may be asked for as often as one likes.
    """
    responses = problems(400, 401, 403, 421, 429, 500, 503)
    if content is not None:
        responses[200] = answer(content)
        options["media_type"] = content.media_type
    also = content.also if content else ()
    opt = {"role": role, "limited": limited}
    return get(path, opt=opt, **_options(path, query, role, responses, also) | options)


def commands(
    path: str,
    *also: int,
    action: str | None,
    method: Method = "POST",
    role: Role = "operate",
    guards: Iterable[Guard] = (),
    known_fields: frozenset[str] | None = None,
    subject_field: str | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """An endpoint that changes something and whose handler blocks, usually for keys that may operate.

    `action` is its name in the audit trail; None for what changes nothing that is kept. `also` are
    problems that its path does not tell it may answer with, and `guards` look at the request once it
    is known who asks. Of a body that may hold secrets the trail shows the values of `known_fields` only;
    `subject_field` is the one that names what is made.
    """
    responses = problems(400, 401, 403, 409, 413, 415, 421, 429, 500, 503, *also)
    usual = _options(path, Query, role, responses)
    usual["guards"] += guards
    opt = {
        "role": role,
        "action": action,
        "known_fields": known_fields,
        "subject_field": subject_field,
    }
    return _COMMANDS[method](path, opt=opt, **usual, **options)


def asks(path: str, **options: Any) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """A POST endpoint that only reads: a question too long for a path, for keys that may read.

    It changes nothing, so nothing is written down of who asked.
    """
    responses = problems(400, 401, 403, 413, 415, 421, 429, 500, 503)
    options["status_code"] = 200
    opt = {"role": "read", "action": None}
    return post(path, opt=opt, **_options(path, Query, "read", responses), **options)


def _options(
    path: str,
    query: type[Query],
    role: Role | None,
    responses: dict[int, ResponseSpec],
    also: Iterable[str] = (),
) -> dict[str, Any]:
    if "{" in path or not fields_of(query).keys().isdisjoint(("pipeline", "failure_group")):
        responses |= problems(404)
    return {
        "guards": [_without_parameters] if query is Query else [],
        "dependencies": {"wanted": Provide(reader(query), sync_to_thread=False)},
        "operation_class": operation(query, also),
        "responses": responses,
        "security": security(role),
        "tags": tags_of(path),
        "sync_to_thread": True,
    }


def _without_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Refuses parameters where there are none."""
    parse(Query, connection.scope["query_string"])
