"""Daemon internals: store, queue, live clients, memory and scrapes."""

from __future__ import annotations

from typing import Any

from alerts.rule import Dashboard
from alerts.thresholds import Thresholds
from dashboards import look, shared
from dashboards.dashboard import dashboard
from dashboards.layout import evenly, line, row
from dashboards.panels import Panel, bars, lines, stat, table
from dashboards.query import added, each, now, per_second, quantile, rows, series

BY = "{{instance}}"
COMMITS = series("triaged_store_commit_seconds_bucket")


def internals(thresholds: Thresholds) -> dict[str, Any]:
    """The dashboard."""
    return dashboard(
        Dashboard.DAEMON,
        "Daemon",
        "Whether the daemon itself is well: its store and queue, those who follow it live, its memory, "
        "and what a scrape costs.",
        thresholds.links,
        [],
        [
            row(
                "At a glance",
                evenly(
                    4,
                    shared.daemon_up(),
                    _uptime(),
                    _restarts(thresholds),
                    _waiting(),
                    _size(thresholds),
                    _free(thresholds),
                ),
            ),
            row(
                "Store",
                evenly(8, _commit_duration(), _commits(), _queue()),
                evenly(8, _errors(), _size_over_time(thresholds), _free_over_time(thresholds)),
            ),
            row("Process", evenly(8, _memory(), _cpu(), _files())),
            row(
                "Live clients and notifications",
                evenly(8, _clients(), _dropped(), _notifications(), _refused()),
            ),
            row(
                "Connections and clock",
                evenly(8, _connections(), _ended()),
                evenly(8, _behind(), _steps(), _retention()),
            ),
            row(
                "Scrapes",
                evenly(8, _scrape_duration(), _scrape_samples(), _collections()),
                line(6, (24, _versions())),
            ),
        ],
    )


def _uptime() -> Panel:
    return stat(
        "Running for",
        "How long the daemon that started last has been running.",
        now(f"time() - max({series('process_start_time_seconds')})"),
        unit="s",
    )


def _restarts(thresholds: Thresholds) -> Panel:
    limit = thresholds.restarts.more_than
    return stat(
        "Restarts in an hour",
        f"How often daemons started again. More than {limit} raise an alert.",
        now(f"sum(changes({series('process_start_time_seconds')}[1h]))"),
        thresholds=look.thresholds(look.GOOD, (1, look.NOTICE), (limit + 1, look.BAD)),
    )


def _waiting() -> Panel:
    return stat(
        "Events that wait",
        "Events that are not on disk yet. At 50,000 pipelines wait for the store.",
        now(f"sum({series('triaged_store_queue_events')})"),
    )


def _size(thresholds: Thresholds) -> Panel:
    return stat(
        "Size of the store",
        "On disk, with its log.",
        now(f"max({series('triaged_store_bytes')})"),
        unit="decbytes",
        thresholds=_up_to(thresholds.store.limit_bytes),
    )


def _free(thresholds: Thresholds) -> Panel:
    return stat(
        "Free space",
        "On the file system of the store; the least of all daemons.",
        now(f"min({series('triaged_store_free_bytes')})"),
        unit="decbytes",
        thresholds=_at_least(thresholds.store.least_free_bytes),
    )


def _up_to(limit: float) -> dict[str, Any]:
    return look.thresholds(look.GOOD, (limit, look.BAD))


def _at_least(limit: float) -> dict[str, Any]:
    return look.thresholds(look.BAD, (limit, look.GOOD))


def _commit_duration() -> Panel:
    return lines(
        "How long a commit takes",
        "A group of events is on disk after this time: half of them, 95 and 99 of 100.",
        each(quantile(0.5, COMMITS), "half"),
        each(quantile(0.95, COMMITS), "95 of 100"),
        each(quantile(0.99, COMMITS), "99 of 100"),
        unit="s",
    )


def _commits() -> Panel:
    return lines(
        "Commits per second",
        "Groups of events that were written.",
        each(per_second(series("triaged_store_commit_seconds_count"), "instance"), BY),
        unit="wps",
    )


def _queue() -> Panel:
    return lines(
        "Events that wait over time",
        "Growing: more happens than the store can write, or it cannot be written.",
        each(series("triaged_store_queue_events"), BY),
    )


def _errors() -> Panel:
    return bars(
        "Failed writes",
        "Attempts to write the store that failed. Nothing is lost: events wait in memory.",
        each(added(series("triaged_store_errors_total"), "instance"), BY),
    )


def _size_over_time(thresholds: Thresholds) -> Panel:
    return lines(
        "Size over time",
        f"Above the line, or about to be within {thresholds.store.limit_horizon}, an alert fires.",
        each(series("triaged_store_bytes"), BY),
        unit="decbytes",
        thresholds=_up_to(thresholds.store.limit_bytes),
    )


def _free_over_time(thresholds: Thresholds) -> Panel:
    return lines(
        "Free space over time",
        f"Below the line, or about to be within {thresholds.store.free_horizon}, an alert fires.",
        each(series("triaged_store_free_bytes"), BY),
        unit="decbytes",
        thresholds=_at_least(thresholds.store.least_free_bytes),
    )


def _memory() -> Panel:
    return lines(
        "Memory",
        "Resident memory of the process. At rest about 120 MB, half of it pages of program files that "
        "the kernel can take back; loading large files takes more for a time.",
        each(series("process_resident_memory_bytes"), BY),
        unit="decbytes",
    )


def _cpu() -> Panel:
    return lines(
        "CPU",
        "Seconds of CPU in each second: 1 is one core.",
        each(per_second(series("process_cpu_seconds_total"), "instance"), BY),
    )


def _files() -> Panel:
    used, most = series("process_open_fds"), series("process_max_fds")
    return lines(
        "Open files and sockets",
        "Share of what the process may have open.",
        each(f"{used} / {most}", BY),
        unit="percentunit",
    )


def _connections() -> Panel:
    return lines(
        "Connections",
        "To the API, those that wait for their next request included.",
        each(series("triaged_connections"), BY),
    )


def _ended() -> Panel:
    return bars(
        "Connections that were ended",
        "By the daemon, because the client did not go on in time, or for a newer one. Many: somebody holds connections.",
        each(added(series("triaged_connections_ended_total"), "reason"), "{{reason}}"),
    )


def _behind() -> Panel:
    return lines(
        "Clock behind",
        "How far the machine's clock is behind what it, or the store, has shown. Ages are wrong by as much.",
        each(series("triaged_clock_behind_seconds"), BY),
        unit="s",
    )


def _steps() -> Panel:
    return bars(
        "Clock set",
        "How often the machine's clock was set.",
        each(added(series("triaged_clock_steps_total"), "instance"), BY),
    )


def _retention() -> Panel:
    return stat(
        "Retention waits",
        "Daemons that forget nothing, because their clock is far ahead of what is stored.",
        now(f"sum({series('triaged_retention_waiting')})"),
        thresholds=look.thresholds(look.GOOD, (1, look.NOTICE)),
    )


def _clients() -> Panel:
    return lines(
        "Clients that follow live",
        "Connections of the page, of `triaged watch` and of others.",
        each(series("triaged_live_clients"), BY),
    )


def _dropped() -> Panel:
    return bars(
        "Updates that slow clients did not get",
        "A client that cannot follow gets fewer updates; runs are never slowed by it.",
        each(added(series("triaged_live_dropped_total"), "instance"), BY),
    )


def _refused() -> Panel:
    return bars(
        "Requests refused",
        "API requests refused for a bad key, a missing role or their number.",
        each(added(series("triaged_requests_refused_total"), "reason"), "{{reason}}"),
    )


def _notifications() -> Panel:
    return bars(
        "Notifications that were dropped",
        "Notifications that could not be delivered, by channel.",
        each(added(series("triaged_notifications_dropped_total"), "channel"), "{{channel}}"),
    )


def _scrape_duration() -> Panel:
    return lines(
        "How long a scrape takes",
        "As Prometheus sees it, transfer included.",
        each(series("scrape_duration_seconds"), BY),
        unit="s",
    )


def _scrape_samples() -> Panel:
    return lines(
        "Samples in a scrape",
        "Grows with pipelines and sources, and is bounded by `metrics.max_sources`.",
        each(series("scrape_samples_scraped"), BY),
    )


def _collections() -> Panel:
    return lines(
        "Garbage collections per second",
        "Of Python, by generation.",
        each(per_second(series("python_gc_collections_total"), "generation"), "{{generation}}"),
        unit="cps",
    )


def _versions() -> Panel:
    return table(
        "Versions",
        "Which daemon runs which version.",
        rows(f"max by (job, instance, version) ({series('triaged_build_info')})"),
        transformations=[
            {
                "id": "filterFieldsByName",
                "options": {"include": {"names": ["job", "instance", "version"]}},
            }
        ],
    )
