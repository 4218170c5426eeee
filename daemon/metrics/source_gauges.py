"""What the standing of a source comes to in series."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from daemon.standing import SourceStanding


class SourceGauges:
    """The series of each source, from how it stands."""

    def __init__(self) -> None:
        self._open = _by_source(
            "triaged_source_failures_open",
            "Open failures of the source, without those of groups that a person ignored or resolved.",
        )
        self._failing = _by_source(
            "triaged_source_failing",
            "1 while the source fails with this category: its latest run did, or failures of it are open, "
            "which later runs may skip.",
            "category",
        )
        self._pending = _by_source(
            "triaged_source_open_since_timestamp_seconds",
            "When the oldest failure of the source and category occurred that is open or being tried again; "
            "absent without any.",
            "category",
        )
        self._since = _by_source(
            "triaged_source_failing_since_timestamp_seconds",
            "When the first of the runs that failed in a row ended; absent unless the latest run failed.",
        )
        self._success = _by_source(
            "triaged_source_last_success_timestamp_seconds",
            "When a run of the source last succeeded and left no failure open; absent until one has.",
        )
        self._worked = _by_source(
            "triaged_source_last_worked_timestamp_seconds",
            "When a run of the source last succeeded, be it in part; absent until one has.",
        )
        self._failures = _by_source(
            "triaged_source_consecutive_failures",
            "Runs of the source that failed in a row; at least 1 while failures of it are open.",
        )

    def add(self, standing: SourceStanding, failed_with: set[str]) -> None:
        """Takes in one source; `failed_with` are the categories that it is known to have failed with."""
        labels = [standing.pipeline, standing.source]
        failed_with.update(standing.categories)
        self._open.add_metric(labels, standing.open_failures)
        self._failures.add_metric(labels, standing.consecutive_failures)
        for category in sorted(failed_with):
            self._failing.add_metric([*labels, category], category in standing.categories)
        for category, since in standing.pending_since.items():
            self._pending.add_metric([*labels, category], since.timestamp())
        for family, moment in (
            (self._since, standing.runs_failing_since),
            (self._success, standing.last_success),
            (self._worked, standing.last_worked),
        ):
            if moment is not None:
                family.add_metric(labels, moment.timestamp())

    def families(self) -> Iterator[Metric]:
        """The metrics."""
        yield from (self._open, self._failing, self._pending, self._since)
        yield from (self._success, self._worked, self._failures)


def _by_source(name: str, text: str, *more: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["pipeline", "source", *more])
