"""`triaged retry`: failures retried by a running daemon, followed to their end."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from urllib.parse import quote

import msgspec

from api.schemas.failures import FailureDetail
from api.schemas.retries import (
    LONGEST_TEXT,
    RetryFailure,
    RetryFailureList,
    RetryFilter,
    RetryOperation,
    RetryOperationList,
    RetryOrder,
)
from daemon.cli import terminal
from daemon.cli.asking import ask_about
from daemon.cli.client import Client, make_client
from daemon.cli.filters import DEFAULT_LIMIT, failure_filter
from daemon.cli.known import require_known
from daemon.cli.main import Exit, complain, tell
from daemon.cli.reading import ALL, Cursor, DaemonReader, Found, Page
from daemon.cli.reading import follow as follow_pages
from daemon.cli.retry_progress import follow
from daemon.cli.retry_tables import (
    preview_lines,
    retry_entry,
    retry_failures,
    sources_table,
)
from daemon.errors import ConfigError, Problem
from daemon.store.filters import FailureFilter
from daemon.taxonomy import RetryState

PATH = "/api/retries"
SHOWN_FAILURES = 50
_FILTERS = (
    "pipeline", "source", "category", "status", "since", "until", "q", "run_id", "failure_group",
)  # fmt: skip


class RetryLine(msgspec.Struct, frozen=True):
    """A line of `--json` about the operation."""

    retry: RetryOperation


class RetryFailureLine(msgspec.Struct, frozen=True):
    """A line of `--json` about what it failed on."""

    failure: RetryFailure


def run(args: Namespace) -> int:
    """Retries, or shows, follows or cancels what was asked for before."""
    order = order_of(args)
    client = make_client(args)
    if args.list:
        return _list(client, args)
    if args.cancel is not None:
        return _cancel(client, args)
    if args.watch is not None:
        return _follow(client, _get(client, args.watch), args)
    assert order is not None
    return _retry(client, order, args)


def _retry(client: Client, order: RetryOrder, args: Namespace) -> int:
    with ask_about(client, failure_filter(args)):
        preview = client.post(PATH, RetryOperation, msgspec.structs.replace(order, dry_run=True))
    if not preview.totals.selected and order.filter is not None:
        require_known(DaemonReader(client), failure_filter(args))
    tell(partial(_show_preview, preview, args))
    if preview.totals.left_out.superseded:
        complain(Exit.FAILURES, *_newer(client, args.failure_ids))
    if args.dry_run:
        return Exit.SUCCESS
    if not preview.totals.to_retry:
        left_out = preview.totals.selected - preview.totals.left_out.resolved
        return Exit.FAILURES if left_out else Exit.SUCCESS
    if not args.yes and not terminal.confirmed("Retry them?"):
        return complain(Exit.SUCCESS, "nothing was changed")
    operation = client.post(PATH, RetryOperation, order)
    if args.no_wait:
        _show(operation, args)
        return Exit.SUCCESS
    return _follow(client, operation, args)


def _newer(client: Client, failure_ids: Iterable[int]) -> Iterator[str]:
    """Of failures that failed again since: which failure of the item is the newest."""
    reader = DaemonReader(client)
    for asked in islice(failure_ids, SHOWN_FAILURES):
        old = client.get(f"/api/failures/{asked}", FailureDetail)
        wanted = FailureFilter(
            pipeline=old.pipeline, source=old.source, q=old.item and old.item[:LONGEST_TEXT]
        )
        newest = next(f for f in reader.failures(wanted, ALL).records if f.item == old.item)
        if newest.id != asked:
            yield f"failure {asked} failed again since: retry failure {newest.id} in its place"


def order_of(args: Namespace) -> RetryOrder | None:
    """What the arguments ask to be retried; None when they ask for something else."""
    filters = any(getattr(args, name) is not None for name in _FILTERS)
    if args.list or args.watch is not None or args.cancel is not None:
        if filters or args.failure_ids:
            raise ConfigError([Problem("", "--list, --watch and --cancel take no failures")])
        return None
    if filters == bool(args.failure_ids):
        raise ConfigError([Problem("", "say what to retry: ids of failures, --group, or filters")])
    return RetryOrder(
        failure_ids=args.failure_ids or None,
        filter=_filter(args) if filters else None,
        rate=args.rate,
        include_not_retryable=args.include_not_retryable,
    )


def _filter(args: Namespace) -> RetryFilter:
    chosen = failure_filter(args)
    given = {name: getattr(chosen, name) for name in _FILTERS}
    try:
        return msgspec.convert(given, RetryFilter)
    except msgspec.ValidationError as error:
        raise ConfigError([Problem("", str(error))]) from None


def _get(client: Client, retry_id: str) -> RetryOperation:
    return client.get(f"{PATH}/{quote(retry_id, safe='')}", RetryOperation)


def _list(client: Client, args: Namespace) -> int:
    def page(size: int, cursor: Cursor) -> Page[RetryOperation]:
        answer = client.get(PATH, RetryOperationList, limit=size, cursor=cursor)
        return Page(answer.retries, answer.next_cursor, answer.total_retries)

    found: Found[RetryOperation] = follow_pages(page, args.limit or DEFAULT_LIMIT)
    if args.json:
        terminal.write_json(found.records)
        return Exit.SUCCESS
    console = terminal.make_console()
    shown = list(found.records)
    for line in map(retry_entry, shown):
        console.print(line)
    text = terminal.summary("retry", len(shown), found.total, "retries")
    console.print(text, style="dim")
    return Exit.SUCCESS


def _cancel(client: Client, args: Namespace) -> int:
    path = f"{PATH}/{quote(args.cancel, safe='')}/cancel"
    _show(client.post(path, RetryOperation), args)
    return Exit.SUCCESS


def _show(operation: RetryOperation, args: Namespace) -> None:
    if args.json:
        terminal.write_json([RetryLine(operation)])
    else:
        terminal.make_console().print(retry_entry(operation))


def _show_preview(preview: RetryOperation, args: Namespace) -> None:
    if args.json:
        if args.dry_run:
            terminal.write_json([RetryLine(preview)])
        return
    console = terminal.make_console()
    for line in preview_lines(preview):
        console.print(line)
    if preview.sources:
        console.print(sources_table(preview))


def _follow(client: Client, operation: RetryOperation, args: Namespace) -> int:
    """Shows progress to the end, then what failed. Ctrl-C leaves the operation as it is."""
    retry_id = operation.id or ""
    try:
        operation = follow(lambda: _get(client, retry_id), operation, quiet=args.json)
    except KeyboardInterrupt:
        return complain(
            Exit.INTERRUPTED,
            f"the retry goes on: `triaged retry --watch {retry_id}` follows it, "
            f"`triaged retry --cancel {retry_id}` ends it",
        )
    tell(partial(_show_end, client, operation, args))
    totals = operation.totals
    failed = totals.failed_again + totals.not_retried
    return Exit.FAILURES if failed or operation.state != RetryState.COMPLETED else Exit.SUCCESS


def _show_end(client: Client, operation: RetryOperation, args: Namespace) -> None:
    """What came of it, and what failed."""
    _show(operation, args)
    retry_id, totals = operation.id or "", operation.totals
    failed = totals.failed_again + totals.not_retried
    if args.json:
        terminal.write_json(map(RetryFailureLine, _failures(client, retry_id)))
    elif failed:
        console = terminal.make_console()
        shown = list(islice(_failures(client, retry_id), SHOWN_FAILURES))
        console.print(retry_failures(shown))
        if len(shown) < failed:
            all_of_them = f"`triaged retry --watch {retry_id} --json` has all"
            more = f"{terminal.number(len(shown))} of {terminal.number(failed)}; {all_of_them}."
            console.print(more, style="dim", soft_wrap=True)


def _failures(client: Client, retry_id: str) -> Iterator[RetryFailure]:
    """All that it failed on, a page at a time."""
    cursor = None
    while True:
        path = f"{PATH}/{quote(retry_id, safe='')}/failures"
        page = client.get(path, RetryFailureList, limit=100, cursor=cursor)
        yield from page.failures
        cursor = page.next_cursor
        if cursor is None:
            return
