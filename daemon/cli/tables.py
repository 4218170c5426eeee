"""Runs, failures and groups as tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from api.schemas.failures import FailureDetail
from api.schemas.groups import FailureGroup
from api.schemas.runs import Progress, RunDetail
from api.schemas.standing import FailingSource
from api.schemas.status import CurrentRun
from api.schemas.unclassified import UnclassifiedGroup
from daemon.cli.terminal import (
    WIDE,
    cell,
    clock,
    entry,
    in_line,
    local,
    make_table,
    number,
    seconds,
    shortened,
    stacked,
    status_cell,
)

ADVICE = "What happened and what to do"
NUMBERS = ("Took", "OK", "Fail", "Skip")


def failures_table(failures: Iterable[FailureDetail], width: int) -> RenderableType:
    """Failures with their ids, what happened and what to do."""
    return (_wide_failures if width >= WIDE else _narrow_failures)(failures)


def _wide_failures(failures: Iterable[FailureDetail]) -> Table:
    columns = ("Id", "Time", "Source", "Item", "Category", "Retry", "Status", "Group", ADVICE)
    fixed = ("Id", "Time", "Category", "Status", "Group")
    table = make_table(*columns, right=columns[:1], fixed=fixed)
    table.columns[-1].ratio = 1
    for failure in failures:
        table.add_row(
            str(failure.id),
            cell(local(failure.error_time)),
            _name(failure),
            cell(failure.item),
            cell(failure.error_category, "bold"),
            "yes" if failure.is_retryable else "no",
            status_cell(failure.status),
            cell(failure.failure_group),
            _advice(failure),
        )
    return table


def _narrow_failures(failures: Iterable[FailureDetail]) -> RenderableType:
    return Group(
        *(
            entry(
                in_line(
                    cell(failure.id, "bold"),
                    cell(local(failure.error_time)),
                    status_cell(failure.status),
                    cell("retryable" if failure.is_retryable else ""),
                ),
                in_line(
                    _name(failure),
                    cell(failure.item),
                    cell(failure.error_category, "bold"),
                    cell(f"group {failure.failure_group}"),
                ),
                _advice(failure),
            )
            for failure in failures
        )
    )


def groups_table(groups: Iterable[FailureGroup], width: int) -> RenderableType:
    """Failure groups, each with its message and advice."""
    return (_wide_groups if width >= WIDE else _narrow_groups)(groups)


def _wide_groups(groups: Iterable[FailureGroup]) -> Table:
    columns = ("Open", "All", "State", "Last seen", "Group", "Sources", "Category", ADVICE)
    fixed = ("State", "Last seen", "Group", "Category")
    table = make_table(*columns, right=columns[:2], fixed=fixed)
    table.columns[-1].ratio = 1
    for group in groups:
        table.add_row(
            number(group.counts.open),
            number(group.count),
            status_cell(group.state),
            cell(local(group.last_seen)),
            cell(group.failure_group),
            cell(_sources(group)),
            cell(group.error_category, "bold"),
            _advice(group),
        )
    return table


def _narrow_groups(groups: Iterable[FailureGroup]) -> RenderableType:
    return Group(
        *(
            entry(
                in_line(
                    cell(group.failure_group, "bold"),
                    status_cell(group.state),
                    cell(f"{number(group.counts.open)} of {number(group.count)} open"),
                    cell(f"last {local(group.last_seen)}"),
                ),
                in_line(cell(_sources(group)), cell(group.error_category, "bold")),
                _advice(group),
            )
            for group in groups
        )
    )


def messages_table(groups: Iterable[UnclassifiedGroup]) -> Table:
    """What no rule recognised: the messages as they are compared, and the newest as it came."""
    table = make_table("Seen", "Source", "Exception and message", "First", "Last", right=("Seen",))
    for group in groups:
        sample = "" if group.sample == group.message else shortened(group.sample)
        table.add_row(
            number(group.count),
            cell(f"{group.pipeline}/{', '.join(group.sources)}"),
            stacked(cell(group.exception_type, "bold"), cell(group.message), cell(sample, "dim")),
            _stacked_time(group.first_seen),
            _stacked_time(group.last_seen),
        )
    return table


def runs_table(runs: Iterable[RunDetail], width: int) -> RenderableType:
    """Runs with their outcome in numbers."""
    return (_wide_runs if width >= WIDE else _narrow_runs)(runs)


def _wide_runs(runs: Iterable[RunDetail]) -> Table:
    columns = ("Started", "Source", "Status", *NUMBERS, "Category", "What happened", "Run")
    table = make_table(*columns, right=NUMBERS, fixed=("Started", "Status", "Category", "Run"))
    table.columns[-2].ratio = 1
    for run in runs:
        table.add_row(
            cell(local(run.start_time)),
            _name(run),
            status_cell(run.status),
            *_numbers(run),
            cell(run.error_category),
            cell(run.user_message),
            cell(run.run_id, "dim"),
        )
    return table


def _narrow_runs(runs: Iterable[RunDetail]) -> RenderableType:
    return Group(
        *(
            entry(
                in_line(
                    _name(run),
                    status_cell(run.status),
                    cell(run.error_category, "bold"),
                    cell(f"{local(run.start_time)}"),
                    cell(f"took {seconds(run.duration_seconds)}" if run.end_time else ""),
                ),
                in_line(cell(f"run {run.run_id}", "dim"), cell(outcome(run))),
            )
            for run in runs
        )
    )


def failing_table(sources: Iterable[FailingSource], width: int) -> Table:
    """Sources that fail, a line each, with what they fail with."""
    table = make_table("Failing since", "Source", "Open", "Category", right=("Open",))
    for column in table.columns[1::2]:
        column.no_wrap, column.overflow, column.max_width = True, "ellipsis", width // 3
    for source in sources:
        since = source.failing_since
        table.add_row(
            local(since) if since else "",
            cell(f"{source.pipeline}/{source.source}", "bold"),
            number(source.open_failures),
            cell(", ".join(counted.category for counted in source.categories)),
        )
    return table


def recent_table(runs: Iterable[RunDetail], width: int) -> Table:
    """Runs that ended lately, a line each, for a view that also shows other things."""
    columns = ("Ended", "Source", "Status", *NUMBERS)
    table = make_table(*columns, "Category", right=NUMBERS, fixed=("Ended", "Status"))
    for column, share in ((table.columns[1], width // 4), (table.columns[-1], width // 5)):
        column.no_wrap, column.overflow, column.max_width = True, "ellipsis", share
    for run in runs:
        table.add_row(
            clock(run.end_time or run.start_time),
            _name(run),
            status_cell(run.status),
            *_numbers(run),
            cell(run.error_category),
        )
    return table


def active_table(runs: Iterable[CurrentRun], width: int) -> RenderableType:
    """Runs under way, each with its step and a progress bar."""
    if width >= WIDE:
        return Group(*(_progress_row(run, _step(run)) for run in runs))
    return Group(*(Group(_progress_row(run, None), _step(run, "  ")) for run in runs))


def _progress_row(run: CurrentRun, step: Text | None) -> Table:
    """One line whose columns stand at the same place for every run."""
    progress = run.progress
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    if step is not None:
        table.add_column(no_wrap=True, ratio=2, overflow="ellipsis")
    table.add_column(width=20)
    table.add_column(no_wrap=True, justify="right", width=18)
    cells = [cell(f"{run.pipeline}/{run.source}", "bold"), *([step] if step is not None else [])]
    bar = _bar(progress) if progress and progress.total else ""
    table.add_row(*cells, bar, _position(progress))
    return table


def _step(run: CurrentRun, indent: str = "") -> Text:
    text = Text(indent, no_wrap=True, overflow="ellipsis")
    text.append(run.state, style="cyan")
    text.append_text(cell(f" {run.current_step}"))
    return text


def _bar(progress: Progress) -> ProgressBar:
    return ProgressBar(total=progress.total, completed=progress.current)


def _position(progress: Progress | None) -> str:
    if progress is None:
        return ""
    total = "" if progress.total is None else f"/{number(progress.total)}"
    return f"{number(progress.current)}{total}"


def _advice(of: FailureDetail | FailureGroup) -> Text:
    """What happened, the message itself, and what to do."""
    message = of.error_message if isinstance(of, FailureDetail) else _message(of)
    return stacked(
        cell(of.user_message),
        cell("" if message == of.user_message else shortened(message), "dim"),
        cell(f"→ {of.suggested_action}", "cyan"),
    )


def _message(group: FailureGroup) -> str:
    """The group's message, with the text that tells a split group from where it comes from."""
    return group.message if group.split_text is None else f"{group.message} [{group.split_text}]"


def _name(of: FailureDetail | RunDetail) -> Text:
    return cell(f"{of.pipeline}/{of.source}")


def _sources(group: FailureGroup) -> str:
    return f"{group.pipeline}/{', '.join(group.sources)}"


def _stacked_time(moment: datetime) -> Text:
    return Text(local(moment).replace(" ", "\n", 1))


def outcome(run: RunDetail) -> str:
    """How many of its items came to what."""
    counts = run.counts
    return (
        f"{number(counts.succeeded)} succeeded, {number(counts.failed)} failed, "
        f"{number(counts.skipped)} skipped"
    )


def _numbers(run: RunDetail) -> tuple[str, ...]:
    counts = run.counts
    return (
        seconds(run.duration_seconds),
        number(counts.succeeded),
        number(counts.failed),
        number(counts.skipped),
    )
