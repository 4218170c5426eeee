"""Every request that changes something leaves an entry in the audit trail before it is answered."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Message, Receive, Scope, Send

from api.origin import SAFE_METHODS
from api.problems import answer_daemon
from api.security import name_in
from daemon.access.roles import LOCAL
from daemon.audit.attempt import Attempt, current
from daemon.audit.details import Mask, details_of, masked, text_field
from daemon.clock import Clock
from daemon.errors import RecorderClosed, StoreUnavailable
from daemon.operations.decision import STORE_SECONDS
from daemon.recorder import Recorder

REASONS = {
    400: "invalid",
    403: "not_permitted",
    404: "not_found",
    409: "conflict",
    413: "too_large",
    415: "not_json",
    500: "failed",
    503: "unavailable",
}
"""Why something was refused, by the status of the answer."""
OTHER_REASON = "refused"

LONGEST_BODY = 1_000_000
"""Bytes of a body that an entry may say something of."""
_FLOOD = 429
"""Who asks too often must not fill the store with it."""


class Trail:
    """Middleware around everything that may change something."""

    def __init__(self, app: ASGIApp, recorder: Recorder, mask: Mask, clock: Clock) -> None:
        self.app = app
        self._recorder = recorder
        self._mask = mask
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and _may_change_something(scope):
            await self._follow(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _follow(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        attempt = self._attempt(scope, body)
        stored = True

        async def send_when_stored(message: Message) -> None:
            nonlocal stored
            if body.given_up:
                return  # nobody is there to be answered, and nothing was done
            if message["type"] == "http.response.start":
                stored = await self._store(attempt, scope, message["status"])
            if stored:
                await send(message)

        before = current.set(attempt)
        try:
            await self.app(scope, body.receive, send_when_stored)
        finally:
            current.reset(before)
        if not stored:
            await _answer_unstored(scope, receive, send)

    def _attempt(self, scope: HTTPScope, body: _Body) -> Attempt:
        mask = self._mask
        handler = scope["route_handler"]
        known = handler.opt.get("known_fields")
        return Attempt(
            self._clock.now(),
            str(action_of(handler)),
            subject=lambda: masked(_subject(scope, body), mask) or None,
            who=lambda: name_in(scope) or LOCAL,
            details=lambda: details_of(bytes(body.content), mask, known),
        )

    async def _store(self, attempt: Attempt, scope: HTTPScope, status: int) -> bool:
        """Whether the entry is on disk. Who was not let in at all leaves none."""
        if attempt.recorded or name_in(scope) is None or status == _FLOOD:
            return True
        refused = REASONS.get(status, OTHER_REASON) if status >= min(REASONS) else None
        return await sync_to_thread(self._record, attempt, refused)

    def _record(self, attempt: Attempt, refused: str | None) -> bool:
        recorder = self._recorder
        try:
            return recorder.wait(attempt.record(recorder, refused), STORE_SECONDS)
        except RecorderClosed:
            return False


class _Body:
    """What is read of a request's body, for whoever wants to know it afterwards.

    A longer one than commands have, such as that of a file, is not kept.
    """

    def __init__(self, receive: Receive) -> None:
        self.content = bytearray()
        self.given_up = False
        """Whether the client left before all of it had come."""
        self._complete = False
        self._kept = True
        self._receive = receive

    async def receive(self) -> HTTPReceiveMessage:
        message: Any = await self._receive()
        self.given_up = message["type"] == "http.disconnect" and not self._complete
        self._complete = self._complete or not message.get("more_body", False)
        part: bytes = message.get("body", b"")
        self._kept = self._kept and len(self.content) + len(part) <= LONGEST_BODY
        if self._kept:
            self.content += part
        else:
            self.content.clear()
        return message  # type: ignore[no-any-return]


def _subject(scope: HTTPScope, body: _Body) -> str:
    """What is in the path, or, where something is made, the name that it gets; empty for neither."""
    field = scope["route_handler"].opt.get("subject_field")
    named = text_field(bytes(body.content), field) if field else None
    return named or "/".join(map(str, scope["path_params"].values()))


def _may_change_something(scope: HTTPScope) -> bool:
    """Unless it is a GET, or its handler says that it does nothing worth an entry."""
    return scope["method"] not in SAFE_METHODS and action_of(scope["route_handler"]) is not None


def action_of(handler: BaseRouteHandler) -> str | None:
    """The name of what an endpoint does: its own, or that of its function; None for nothing."""
    action: str | None = handler.opt.get("action", handler.handler_name)
    return action


async def _answer_unstored(scope: HTTPScope, receive: Receive, send: Send) -> None:
    request: Request[Any, Any, Any] = Request(scope, receive, send)
    problem = StoreUnavailable(
        "the audit trail cannot be written at the moment; what was asked for may have been done, and "
        "is entered when the store can be written again"
    )
    response = answer_daemon(request, problem)
    await response.to_asgi_response(app=None, request=request)(scope, receive, send)
