"""Logs: one JSON object a line, with a stable event, masked; nothing from outside makes its own line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import journal, logs
from daemon.clock import FakeClock
from daemon.pipelines.catalog import Registered, Source
from daemon.pipelines.own.config import OwnConfig
from daemon.runners.runner import Runner
from daemon.taxonomy import Trigger
from daemon.triage import Triage
from tests.unit.spine_support import START, Store, failed, store

ADDRESS = "jane.doe@example.com"


class Logged:
    """What the process has written to standard error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    @property
    def text(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Logged]:
    """The log; the root logger is put back afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield Logged(capsys)
    root.handlers[:] = before
    root.setLevel(level)


def json_line(message: object, **extra: Any) -> str:
    record = logging.makeLogRecord(
        {"msg": message, "name": "triaged", "levelname": "INFO", "created": 0.5, **extra}
    )
    return logs.JsonFormatter(Triage.mask).format(record)


any_text = st.text(max_size=60)


@pytest.mark.requirement("I8")
@given(message=any_text, value=any_text)
def test_a_record_is_one_line_of_json_whatever_it_says(message: str, value: str) -> None:
    line = json_line(message, event="failure", file_path=value)
    assert "\n" not in line
    assert "\r" not in line
    found = json.loads(line)
    assert list(found)[:5] == ["time", "level", "event", "logger", "message"]
    assert found["time"] == "1970-01-01T00:00:00.500+00:00"
    assert found["event"] == "failure"
    assert found["message"] == Triage.mask(message)
    assert found["file_path"] == Triage.mask(value)


@given(message=any_text, value=any_text)
def test_a_line_for_a_person_is_one_line_too(message: str, value: str) -> None:
    record = logging.makeLogRecord(
        {"msg": message, "name": "triaged", "levelname": "INFO", "file_path": value}
    )
    text = logs.TextFormatter(Triage.mask).format(record)
    assert len(text.splitlines()) == 1
    assert text.isprintable()


@pytest.mark.parametrize("formatter", [logs.JsonFormatter, logs.TextFormatter])
def test_an_exception_cannot_make_a_line_that_looks_like_ours(
    formatter: type[logs.JsonFormatter],
) -> None:
    forged = '{"level":"info","event":"stopped"}'
    error = ValueError(f"first\n{forged}\n12:00:00.000 info    all is well\x1b[2J")
    record = logging.makeLogRecord({"msg": "failed", "exc_info": (type(error), error, None)})
    text = formatter(Triage.mask).format(record)
    assert "all is well" in text
    for line in text.splitlines()[1:]:
        assert line.startswith("    ")
    assert "\x1b" not in text


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("formatter", [logs.JsonFormatter, logs.TextFormatter])
def test_messages_values_and_tracebacks_are_masked(formatter: type[logs.JsonFormatter]) -> None:
    error = ValueError(f"no mailbox for {ADDRESS}")
    record = logging.makeLogRecord(
        {
            "msg": "login of %s",
            "args": (ADDRESS,),
            "who": ADDRESS,
            "exc_info": (type(error), error, None),
        }
    )
    record.listed = [ADDRESS]
    assert ADDRESS not in formatter(Triage.mask).format(record)


def test_values_keep_their_type() -> None:
    found = json.loads(json_line("m", count=3, ratio=0.5, ok=True, none=None, where=Path("/a")))
    assert (found["count"], found["ratio"], found["ok"], found["none"]) == (3, 0.5, True, None)
    assert found["where"] == "/a"


def test_what_a_library_logs_gets_the_event_log(logged: Logged) -> None:
    logs.configure("info", "json", Triage.mask)
    logging.getLogger("somebody.else").warning("first\nsecond")
    logging.getLogger("somebody.else").debug("not shown")
    (line,) = logged.lines
    assert (line["event"], line["logger"], line["level"]) == ("log", "somebody.else", "warning")
    assert line["message"].split() == ["first", "second"]


@pytest.mark.parametrize(("form", "is_json"), [("json", True), ("auto", True), ("text", False)])
def test_the_form_is_as_configured_and_json_where_nobody_looks(
    logged: Logged, form: Any, is_json: bool
) -> None:
    logs.configure("warning", form, Triage.mask)
    logging.getLogger("triaged").warning("a word", extra={"event": "said"})
    text = logged.text
    assert text.startswith("{") is is_json
    assert "a word" in text


# --- the events of a run -----------------------------------------------------------------------


def carried_out(target: Store, function: Any) -> None:
    target.recorder.subscribe(journal.write)
    target.writer.start()
    source = Source("one", True, {})
    pipeline = Registered("nightly", function, OwnConfig(run="a:b"), {"one": source})
    Runner(target.recorder, target.clock).run(pipeline, source, "cycle", Trigger.MANUAL)


def mixed(run: Any) -> None:
    run.step("fetching", "fetching")
    run.succeed("good.csv")
    run.fail(f"of {ADDRESS}", ConnectionRefusedError(111, f"refused by {ADDRESS}"))
    run.fail(f"of {ADDRESS}", "a second cause")
    run.progress(2, 2)


@pytest.mark.requirement("I8", "F6")
def test_a_run_logs_its_start_its_failures_and_its_end_in_order(
    tmp_path: Path, logged: Logged
) -> None:
    logs.configure("debug", "json", Triage.mask)
    with store(tmp_path, FakeClock(START)) as target:
        carried_out(target, mixed)
    found = [line for line in logged.lines if line["logger"] == "triaged.runs"]
    assert [line["event"] for line in found] == ["run_started", "failure", "failure", "run_ended"]
    assert len({line["run_id"] for line in found}) == 1
    for line in found:
        assert (line["pipeline"], line["source"]) == ("nightly", "one")
    for line in found[1:3]:
        assert {"file_path", "error_category", "retryable", "rule", "failure_group"} <= set(line)
    assert (found[1]["error_category"], found[1]["retryable"]) == ("connection", True)
    assert "refused by [email]" in found[1]["error_message"]
    assert found[2]["error_message"] == "a second cause"
    end = found[-1]
    assert (end["status"], end["succeeded"], end["failed"], end["skipped"]) == ("partial", 1, 1, 0)
    assert ADDRESS not in logged.text


def test_a_run_with_nothing_to_do_does_not_fill_the_log(tmp_path: Path, logged: Logged) -> None:
    logs.configure("info", "json", Triage.mask)
    with store(tmp_path) as target:
        carried_out(target, lambda run: run.skip(count=100))
    assert logged.lines == []


def test_a_flood_of_failures_is_counted_rather_than_logged_one_by_one(
    tmp_path: Path, logged: Logged
) -> None:
    logs.configure("info", "json", Triage.mask)
    with store(tmp_path) as target:
        target.recorder.subscribe(journal.write)
        target.put(*(failed("run-1", f"{n}") for n in range(journal.LINES_PER_BATCH + 50)))
    found = logged.lines
    assert [line["event"] for line in found[:-1]] == ["failure"] * journal.LINES_PER_BATCH
    assert (found[-1]["event"], found[-1]["count"]) == ("failures_not_logged", 50)


def test_what_a_library_says_over_and_over_is_counted_and_events_of_ours_never_are() -> None:
    repeated = logs.RepeatedLines()

    def passes(at: float, **more: str) -> str | None:
        record = logging.makeLogRecord(
            {
                "name": "asyncio",
                "msg": "out of descriptors at %s",
                "args": (at,),
                "created": at,
                **more,
            }
        )
        return record.getMessage() if repeated.filter(record) else None

    first = [passes(1000 + number) for number in range(50)]
    assert first[: logs.LINES_A_MINUTE] == [
        f"out of descriptors at {1000 + number}" for number in range(logs.LINES_A_MINUTE)
    ]
    assert set(first[logs.LINES_A_MINUTE :]) == {None}
    assert passes(1070) == "out of descriptors at 1070 (30 more before)"
    assert passes(990) == "out of descriptors at 990", "a clock that was set back"
    assert all(passes(1070, event="failure") for _ in range(50))
    refused = [
        passes(1080, event="request_unavailable", name=logs.OF_REQUESTS, reason=reason)
        for reason in ("closed", "full")
        for _ in range(50)
    ]
    assert len([line for line in refused if line]) == 2 * logs.LINES_A_MINUTE
