"""Every error as problem details (RFC 9457): one shape, one mapping, nothing internal in it."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import ClientException, HTTPException, ValidationException
from msgspec import Meta

from api.body_words import expected_at
from daemon import errors

log = logging.getLogger("triaged.api")

PROBLEM_JSON = "application/problem+json"

STATUSES: dict[type[errors.TriagedError], int] = {
    errors.NotFound: 404,
    errors.UnsafePath: 404,
    errors.Conflict: 409,
    errors.CredentialsMissing: 409,
    errors.InvalidQuery: 400,
    errors.StoreError: 503,
}
"""What the daemon's own errors mean on HTTP; a subclass means what its nearest base means."""


_DETAILS = {
    404: "there is nothing at this path",
    405: "this path does not take that method; see the Allow header",
    413: "the body is larger than 1 MB",
}
"""What to say where the framework says no more than the status does."""


class Mistake(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a request."""

    expected: Annotated[
        str,
        Meta(
            description="What was expected in its place.",
            examples=["a whole number from 1 to 100"],
        ),
    ]
    parameter: Annotated[
        str | None,
        Meta(description="The parameter that is wrong, when it is one.", examples=["limit"]),
    ] = None
    pointer: Annotated[
        str | None,
        Meta(
            description="JSON pointer to what is wrong in the body, when it is there.",
            examples=["/paths/0"],
        ),
    ] = None


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was not carried out (RFC 9457). Nothing was changed."""

    status: Annotated[int, Meta(description="The HTTP status.", examples=[400], ge=400, le=599)]
    title: Annotated[
        str, Meta(description="What the status means in words.", examples=["Bad Request"])
    ]
    detail: Annotated[
        str,
        Meta(
            description="What is the matter with this request.",
            examples=["limit: expected a whole number from 1 to 100"],
        ),
    ]
    errors: Annotated[
        list[Mistake] | None, Meta(description="All mistakes in the request, when it has any.")
    ] = None
    type: Annotated[
        str,
        Meta(
            description="Kind of problem: always `about:blank`, go by `status`.",
            examples=["about:blank"],
        ),
    ] = msgspec.field(default_factory=lambda: "about:blank")


_CLIENT_LEFT = "client disconnected prematurely"
"""What Litestar calls an error of the server."""


class BadRequest(HTTPException):
    """A request with mistakes, all of which are reported."""

    status_code = HTTPStatus.BAD_REQUEST

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        super().__init__(detail="; ".join(map(_sentence, mistakes)))


class UnknownName(BadRequest):
    """A request that names what there is not: it would have been right for another name."""

    status_code = HTTPStatus.NOT_FOUND


def _sentence(mistake: Mistake) -> str:
    where = mistake.parameter or mistake.pointer
    return f"{where}: expected {mistake.expected}" if where else f"expected {mistake.expected}"


def answer_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[ProblemDetails]:
    """The answer to what the framework or a handler refuses."""
    if isinstance(error, ValidationException):
        error = BadRequest(_mistakes(request, error))
    if error.detail == _CLIENT_LEFT:
        return _answer(
            HTTPStatus.BAD_REQUEST, "the body has not come to its end"
        )  # nobody reads it
    if error.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer_unexpected(request, error)
    mistakes = error.mistakes if isinstance(error, BadRequest) else None
    detail = error.detail if mistakes else _DETAILS.get(error.status_code, error.detail)
    if type(error) is ClientException:
        detail = f"the request cannot be read: {error.detail}"
    return _answer(error.status_code, detail, mistakes, error.headers)


def answer_daemon(
    _: Request[Any, Any, Any], error: errors.TriagedError
) -> Response[ProblemDetails]:
    """The answer to what the daemon refuses."""
    status = next((STATUSES[base] for base in type(error).__mro__ if base in STATUSES), None)
    if status is None:
        return answer_unexpected(_, error)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning(
            "a request could not be answered",
            extra={"event": "request_unavailable", "reason": str(error)},
        )
    mistakes = _query_mistakes(error) if isinstance(error, errors.InvalidQuery) else []
    return _answer(status, str(error), mistakes or None)


def answer_unexpected(
    request: Request[Any, Any, Any], error: Exception
) -> Response[ProblemDetails]:
    """The answer to a defect: logged in full, and not described to the outside."""
    log.error(
        "a request failed unexpectedly",
        exc_info=error,
        extra={"event": "request_failed", "method": request.method, "path": request.url.path},
    )
    return _answer(500, "the request could not be answered; the log says why")


def _answer(
    status: int,
    detail: str,
    mistakes: list[Mistake] | None = None,
    headers: dict[str, str] | None = None,
) -> Response[ProblemDetails]:
    problem = ProblemDetails(status, HTTPStatus(status).phrase, detail, mistakes)
    return Response(problem, status_code=status, media_type=PROBLEM_JSON, headers=headers)


def _query_mistakes(error: errors.InvalidQuery) -> list[Mistake]:
    """The parameter that a message such as ``cursor: expected …`` names."""
    parameter, found, expected = str(error).partition(": expected ")
    return [Mistake(expected, parameter)] if found else []


def _mistakes(request: Request[Any, Any, Any], error: ValidationException) -> list[Mistake]:
    """What the framework found wrong with the body or a path parameter."""
    found = error.extra if isinstance(error.extra, list) else []
    return [_mistake(request, entry) for entry in found] or [Mistake(error.detail)]


def _mistake(request: Request[Any, Any, Any], entry: dict[str, Any]) -> Mistake:
    expected = _expected(str(entry.get("message", "")))
    key = str(entry.get("key", ""))
    if key == "data":
        return Mistake(expected, pointer="")
    if entry.get("source") != "body":
        return Mistake(expected, parameter=key or None)
    steps = re.findall(r"[^.\[\]]+", key)
    expected = expected_at(request, steps) or expected
    return Mistake(expected, pointer="".join(f"/{step}" for step in steps))


def _expected(message: str) -> str:
    """What a message of the decoder asks for."""
    for pattern, expected in _MESSAGES:
        if found := re.fullmatch(pattern, message):
            message = found.expand(expected)
            break
    return message.replace("`", "")


_MESSAGES = (
    (r"Expected (.*)", r"\1"),
    (r"Object contains unknown field (.*)", r"no field \1"),
    (r"Object missing required field (.*)", r"the field \1"),
    (r"'data'", "a JSON body"),
)
