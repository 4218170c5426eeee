"""Structured logs on standard error: every line is one JSON object with a stable `event` key.

Masking happens here as well, for whatever a library or an own pipeline may log.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from daemon.truncation import clip

_STANDARD = set(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, logger, message and what was given as extra."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        return msgspec.json.encode(self.fields(record)).decode("utf-8", "replace")

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What the line says, masked."""
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": self._mask(str(extra.pop("event", "log"))),
            "logger": self._mask(str(record.name)),
            "message": self._mask(clip(record.getMessage(), LONGEST_TEXT)),
        }
        for key, value in extra.items():
            line[self._mask(key)] = self._masked_field(key, value)
        if record.exc_info:
            line["exception"] = self._mask(_last_lines(self.formatException(record.exc_info)))
        return line

    def _masked_field(self, name: str, value: object) -> object:
        """The value of an extra: its name may say that it is secret, or its own text."""
        if value is None or isinstance(value, bool | float):
            return value
        text = clip(str(value), LONGEST_TEXT)
        # Asked as an assignment, so that the one place that knows secret names decides.
        named = f"{name}={text}"
        masked = self._mask(text)
        if masked == text and self._mask(named) != named:
            return MASKED
        return value if isinstance(value, int) and masked == text else masked


MASKED = "***"

LONGEST_TEXT = 16_384
"""Characters of each text of a line that are looked at, and written at most."""


def _last_lines(traceback: str) -> str:
    """What is said at the end matters most."""
    if len(traceback) <= LONGEST_TEXT:
        return traceback
    _, _, whole_lines = traceback[-LONGEST_TEXT:].partition("\n")
    return f"…\n{whole_lines}"


_LEFT_OUT = {"time", "level", "event", "logger", "message", "run_id", "rule", "failure_group"}
"""What lines for a person do without: ids are in the API, and lines stay short."""


class TextFormatter(JsonFormatter):
    """The same for a person at a terminal: one line, aligned, without the names of loggers."""

    def format(self, record: logging.LogRecord) -> str:
        line = self.fields(record)
        exception = line.pop("exception", "")
        about = [str(line.pop(key, None) or "") for key in ("pipeline", "source", "file_path")]
        subject = " ".join(filter(None, ["/".join(filter(None, about[:2])), about[2]]))
        shown = {k: v for k, v in line.items() if k not in _LEFT_OUT}
        rest = " ".join(f"{key}={_word(value)}" for key, value in shown.items() if value)
        parts = (line["time"][11:19], f"{line['level']:<7}", subject, line["message"], rest)
        text = " ".join(_line(part) for part in parts if part)
        return "\n    ".join([text, *map(_line, exception.splitlines())])


def _line(value: object) -> str:
    """Text on one line, with nothing that moves the cursor."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(value))


def _word(value: object) -> str:
    text = _line(value)
    return msgspec.json.encode(text).decode() if " " in text or not text else text


class RepeatedLines(logging.Filter):
    """Lets through so many lines a minute of what is said over and over, and then how many it kept back.

    That is what libraries say, and what requests are refused for. Other events of triaged are never kept back: each
    tells of something else.
    """

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[tuple[str, str], list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, "event") and record.name != OF_REQUESTS:
            return True
        reason = str(getattr(record, "reason", "") or (record.exc_info and record.exc_info[0]))
        key = (record.name, f"{record.msg!s:.{_TOLD_APART_BY}}{reason:.{_TOLD_APART_BY}}")
        window = self._windows.get(key)
        if window is None or not 0 <= record.created - window[0] < 60:
            if len(self._windows) >= _MOST_KINDS:
                self._windows.clear()
            self._windows[key] = [record.created, 1]
            kept_back = int(window[1]) - LINES_A_MINUTE if window else 0
            if kept_back > 0:
                record.msg, record.args = f"{record.getMessage()} ({kept_back} more before)", ()
            return True
        window[1] += 1
        return window[1] <= LINES_A_MINUTE


LINES_A_MINUTE = 20
OF_REQUESTS = "triaged.api"
"""The logger of what clients can cause as often as they like."""
_TOLD_APART_BY = 40
"""Characters: what follows names addresses and numbers."""
_MOST_KINDS = 1000


def configure(
    level: str, form: Literal["auto", "json", "text"], mask: Callable[[str], str]
) -> None:
    """Sets logging up for the whole process."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RepeatedLines())
    handler.setFormatter(TextFormatter(mask) if text else JsonFormatter(mask))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # A skipped cycle is an event of ours, with the pipeline's name; APScheduler's own line adds none.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
