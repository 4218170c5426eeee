"""How an answer is sent: as what `Accept` asks for, and compressed where `Accept-Encoding` allows it."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any, TypeVar

from litestar import Request, Response

T = TypeVar("T")

_NEVER = ("q=0", "q=0.0", "q=0.00", "q=0.000")


def accepted(request: Request[Any, Any, Any], kinds: Mapping[str, T], usual: T) -> T:
    """What stands for the first media type in `Accept` that is among `kinds`; else what is usual."""
    asked = (_split(part)[0] for part in request.headers.get("accept", "").split(","))
    return next((kinds[kind] for kind in asked if kind in kinds), usual)


def packed(
    request: Request[Any, Any, Any],
    body: bytes,
    media_type: str,
    headers: Mapping[str, str],
    *,
    level: int,
    least: int = 0,
) -> Response[bytes]:
    """An answer that depends on both headers, compressed if that is accepted and it has `least` bytes."""
    sent = {**headers, "vary": "Accept, Accept-Encoding"}
    if len(body) >= least and _accepts_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, level)
        sent["content-encoding"] = "gzip"
    return Response(body, headers=sent, media_type=media_type)


def _accepts_gzip(header: str) -> bool:
    codings = map(_split, header.split(","))
    return next((weight not in _NEVER for name, weight in codings if name in ("gzip", "*")), False)


def _split(part: str) -> tuple[str, str]:
    """A name and its parameters, of which only the weight is looked at."""
    name, _, parameters = part.lower().partition(";")
    return name.strip(), parameters.replace(" ", "")
