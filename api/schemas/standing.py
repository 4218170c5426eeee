"""How sources stand."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from api.schemas import fields
from daemon.pipelines.catalog import Catalog
from daemon.standing import SourceStanding
from daemon.taxonomy import Category


class CategoryCount(msgspec.Struct, frozen=True, kw_only=True):
    """Failures of one category."""

    category: Annotated[Category, Meta(description="The category.", examples=["connection"])]
    count: Annotated[int, Meta(description="Failures of it.", examples=[5])]


class StandingDetail(msgspec.Struct, frozen=True, kw_only=True):
    """How a source stands: it fails while failures of it are open, also when later runs skip what they are about."""

    failing: Annotated[bool, Meta(description="Whether it fails.", examples=[True])]
    open_failures: Annotated[
        int,
        Meta(
            description="Its open failures, without those of groups that a person ignored or resolved.",
            examples=[2],
        ),
    ]
    categories: Annotated[
        list[CategoryCount],
        Meta(
            description="What it fails with, most frequent first; what is being tried again counts."
        ),
    ]
    failing_since: Annotated[
        datetime | None,
        Meta(
            description="When the first of the runs that failed in a row ended, or the oldest open failure occurred; "
            "null while it works."
        ),
    ]
    consecutive_failures: Annotated[
        int,
        Meta(description="Runs that failed in a row; at least 1 while it fails.", examples=[1]),
    ]
    last_success_at: Annotated[
        datetime | None,
        Meta(description="When a run last succeeded and left no failure open; null until one has."),
    ]
    last_worked_at: Annotated[
        datetime | None,
        Meta(description="When a run last succeeded, be it in part; null until one has."),
    ]

    @classmethod
    def of(cls, standing: SourceStanding) -> StandingDetail:
        """The standing as it is told."""
        return cls(**_values(standing))


class FailingSource(StandingDetail, frozen=True, kw_only=True):
    """A source that fails."""

    pipeline: fields.Pipeline
    source: fields.Source
    email_address: fields.EmailAddress
    enabled: Annotated[
        bool,
        Meta(
            description="Whether cycles include it; false as well when it is not configured any more, so that nothing "
            "resolves its failures.",
            examples=[True],
        ),
    ]

    @classmethod
    def of_catalog(cls, standing: SourceStanding, catalog: Catalog) -> FailingSource:
        """The standing with what is configured of the source."""
        found = catalog.find(standing.pipeline, standing.source)
        return cls(
            pipeline=standing.pipeline,
            source=standing.source,
            email_address=found.email_address if found else None,
            enabled=found is not None and found.enabled,
            **_values(standing),
        )


def _values(standing: SourceStanding) -> dict[str, Any]:
    return {
        "failing": standing.failing,
        "open_failures": standing.open_failures,
        "categories": [
            CategoryCount(category=category, count=count)
            for category, count in standing.categories.items()
        ],
        "failing_since": standing.failing_since,
        "consecutive_failures": standing.consecutive_failures,
        "last_success_at": standing.last_success,
        "last_worked_at": standing.last_worked,
    }
