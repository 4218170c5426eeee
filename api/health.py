"""Whether the daemon is alive and well, and its metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from msgspec import Meta

from api.description import Content
from api.negotiation import packed
from api.routes import reads
from daemon.health import Check, Health
from daemon.metrics import Metrics

_COMPRESSION = 1
"""Metrics repeat themselves so much that more effort gains next to nothing."""


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must work."""

    name: Annotated[str, Meta(description="What is checked.", examples=["store"])]
    ok: Annotated[bool, Meta(description="Whether it works.", examples=[True])]
    message: Annotated[
        str, Meta(description="How it is, in words.", examples=["the store can be written"])
    ]

    @classmethod
    def of(cls, check: Check) -> CheckResult:
        """What the daemon found."""
        return cls(name=check.name, ok=check.ok, message=check.message)


class HealthStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the daemon."""

    status: Annotated[
        Literal["ok", "degraded", "stopping"], Meta(description="In one word.", examples=["ok"])
    ]
    version: Annotated[
        str,
        Meta(
            description="Version of triaged, with its commit where that is known.",
            examples=["0.1.0+g4f2a90c1d3e5"],
        ),
    ]
    checks: Annotated[list[CheckResult], Meta(description="What must work, one by one.")]
    pending_events: Annotated[int, Meta(description="Events that wait to be stored.", examples=[0])]

    @classmethod
    def of(cls, health: Health) -> HealthStatus:
        """What the daemon says of itself."""
        return cls(
            status=health.status,
            version=health.version,
            checks=[CheckResult.of(check) for check in health.checks],
            pending_events=health.pending_events,
        )


@reads("/healthz", role=None, summary="Whether the daemon is alive", operation_id="getHealth")
def healthz(health: NamedDependency[Callable[[], Health]]) -> HealthStatus:
    """Answers 200 while the daemon is alive, well or not; the body says how it is."""
    return HealthStatus.of(health())


@reads("/readyz", role=None, summary="Whether the daemon is ready", operation_id="getReadiness")
def readyz(health: NamedDependency[Callable[[], Health]]) -> HealthStatus:
    """Answers 503 when something that must work does not."""
    found = health()
    wrong = [
        f"{check.name}: {check.message}" for check in found.checks if check.needed and not check.ok
    ]
    if wrong:
        raise HTTPException(status_code=503, detail="; ".join(wrong))
    return HealthStatus.of(found)


@reads(
    "/metrics",
    limited=False,
    summary="Metrics",
    operation_id="getMetrics",
    content=Content(
        str,
        "Prometheus text format, or OpenMetrics when `Accept` asks for it.",
        "text/plain",
        also=("application/openmetrics-text",),
    ),
)
def metrics(metrics: NamedDependency[Metrics], request: Request[Any, Any, Any]) -> Response[bytes]:
    """What Prometheus scrapes; compressed when `Accept-Encoding` allows gzip."""
    body, content_type = metrics.exposition(request.headers.get("accept", ""))
    headers = {"content-type": content_type}
    return packed(request, body, content_type, headers, level=_COMPRESSION)
