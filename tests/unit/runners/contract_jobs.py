"""The functions that the contract of runners is shown with. They meet the test through files in a folder."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from daemon.runners.handle import RunClosed

PATIENCE = 60.0


def say(run: Any, name: str, text: str = "") -> None:
    """Lets the test know that the function has come so far."""
    part = Path(run.options["folder"]) / f"{name}.part"
    part.write_text(text)
    part.rename(part.with_suffix(""))


def wait_for(run: Any, name: str) -> None:
    """Waits till the test has come so far."""
    deadline = time.monotonic() + PATIENCE
    while not (Path(run.options["folder"]) / name).exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def report_all(run: Any) -> None:
    run.step("fetching", "looking for three files")
    run.progress(1, 3)
    run.succeed("a")
    run.skip(count=4)
    run.step("processing", "the last")
    run.fail("b", "it broke", in_part=True, row_count=2, sample_rows=(3, 9), column="amount")
    run.progress(3, 3)


class _NoNumber:
    def __int__(self) -> int:
        raise TypeError("this is none")

    def __repr__(self) -> str:
        raise RuntimeError("nor can it be shown")


ABSURD = [10**30, -1, float("nan"), float("inf"), "many", None, b"x", _NoNumber()]


def report_absurdly(run: Any) -> None:
    given = ABSURD[run.options["which"]]
    if run.options["call"] == "progress":
        run.progress(given, 5)
    elif run.options["call"] == "total":
        run.progress(1, 10**30 if given is None else given)
    elif run.options["call"] == "skip":
        run.skip("a", count=given)
    else:
        run.fail("a", "it broke", row_count=-5 if given is None else given)


def fail_some(run: Any) -> None:
    for item, message in run.options["failures"]:
        run.fail(item, message)
    for item in run.options["successes"]:
        run.succeed(item)


def report_many(run: Any) -> None:
    for number in range(run.options["events"]):
        run.succeed(f"{number}")
        run.progress(number + 1, run.options["events"])


def say_what_it_was_told(run: Any) -> None:
    say(run, "told", repr((run.source, run.options["day"], run.wanted, run.known)))


def refuse(run: Any) -> None:
    run.step("connecting", "to the API")
    raise ConnectionRefusedError(
        111, "Connection refused by https://api.example.com/?token=hunter2hunter2"
    )


def leave(_run: Any) -> None:
    raise SystemExit(2)


def panic(run: Any) -> None:
    """What libraries raise that is no `Exception`: a cancelled task of asyncio, a panic of Rust."""
    run.step("processing", "the last file")
    raise asyncio.CancelledError("the server went away")


class Whole:
    """A whole number as libraries of numbers have their own."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __int__(self) -> int:
        return self._number


class Unspeakable(BaseException):
    """Raises whatever it is asked, and what leaves programs at that."""

    @property
    def args(self) -> Any:
        raise SystemExit

    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__

    def __reduce__(self) -> Any:
        raise TypeError


def raise_what_cannot_be_described(run: Any) -> None:
    run.succeed("before")
    raise Unspeakable


def raise_as_if_it_had_ended(run: Any) -> None:
    raise RunClosed("an own mistake")


def overwrite_its_run(run: Any) -> None:
    run.fail("a", "it broke")
    run.__dict__.clear()


ABSURD = (10**30, 10**5000, -1, float("nan"), float("inf"), True, "3", b"3", [1], object())


def report_what_is_absurd(run: Any) -> None:
    """Each call is refused with an error of its own, which is all that is recorded; the last one ends the run."""
    calls = {
        "progress": run.progress,
        "total": lambda given: run.progress(1, given),
        "count": lambda given: run.skip(count=given),
        "row_count": lambda given: run.fail("x", "y", row_count=given),
        "sample_rows": lambda given: run.fail("x", "y", sample_rows=(given,)),
    }
    for name, call in calls.items():
        for number, given in enumerate(ABSURD):
            refused_with(run, f"{name} {number}", call, given)
    for number, given in enumerate((None, b"x", True)):
        refused_with(run, f"item {number}", run.succeed, given)
    refused_with(run, "step", lambda given: run.step("processing", given), b"x")
    refused_with(run, "column", lambda given: run.fail("x", "y", column=given), b"x")
    refused_with(run, "facts", lambda given: run.succeed("x", facts=given), "x")
    refused_with(run, "note", run.note, None)
    run.fail("facts of the error", "y", retry_after=float("nan"), errno=10**30, http_status=-1)
    run.progress(10**30)


def refused_with(run: Any, name: str, call: Any, given: Any) -> None:
    try:
        call(given)
    except ValueError as error:
        run.fail(name, error)


def count_with_numbers_of_its_own(run: Any) -> None:
    for number in range(3):
        run.progress(Whole(number), Whole(3))  # each but the first waits to be sent
    run.skip(count=Whole(2))
    run.fail("a", "it broke", row_count=Whole(2), sample_rows=[Whole(7)])


def report_from_a_fork(run: Any) -> None:
    child = os.fork()
    if not child:
        try:
            run.succeed("in the fork")
        except Exception as error:  # noqa: BLE001 (which one it is decides the test)
            say(run, "refused", type(error).__name__)
        os._exit(0)
    os.waitpid(child, 0)
    run.succeed("in the function")


def end_a_fork(_run: Any) -> None:
    child = os.fork()
    if not child:
        time.sleep(PATIENCE)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGTERM


def leave_a_thread_behind(run: Any) -> None:
    say_who_works(run)
    threading.Thread(target=time.sleep, args=(PATIENCE,)).start()


def hang_in_the_middle_of_a_message(run: Any) -> None:
    """As a function does whose other thread never lets Python's threads go on."""
    say_who_works(run)
    os.write(run._reports_to._connection.fileno(), b"\0\0\1\0half")
    time.sleep(PATIENCE)


def stop_when_asked(run: Any) -> None:
    say(run, f"began-{run.source}")
    while not run.cancelled:
        time.sleep(0.005)


def finish_when_allowed(run: Any) -> None:
    say(run, f"began-{run.source}")
    wait_for(run, "go")
    run.succeed("at last")


def go_on_after_the_end(run: Any) -> None:
    """Leaves a thread behind that reports when the function has long returned."""

    def report() -> None:
        wait_for(run, "go")
        try:
            run.succeed("too late")
        except Exception as error:  # noqa: BLE001 (which one it is decides the test)
            say(run, "refused", type(error).__name__)

    threading.Thread(target=report, daemon=True).start()


def die(run: Any) -> None:
    run.succeed("before")
    run.step("processing", "the last file")
    match run.options["how"]:
        case "exit":
            os._exit(3)
        case "segfault":
            ctypes.string_at(0)
        case signal_name:
            os.kill(os.getpid(), signal.Signals[signal_name])
            time.sleep(PATIENCE)


def die_once(run: Any) -> None:
    if not (Path(run.options["folder"]) / "died").exists():
        say(run, "died")
        os._exit(1)
    run.succeed("a")


def take_memory(run: Any) -> None:
    run.step("processing", "a large file")
    taken = []
    while True:
        taken.append(bytearray(10_000_000))


def hold_the_interpreter(run: Any) -> None:
    """Stuck in native code that lets no other thread of Python's go on."""
    say(run, "pid", str(os.getpid()))
    ctypes.PyDLL(None).sleep(int(PATIENCE))


def stutter(run: Any) -> None:
    """Everything is sent twice, as a queue may do that promises to send it at least once."""
    sink = run._sink
    connection = sink._connection

    class Twice:
        def send_bytes(self, data: bytes) -> None:
            connection.send_bytes(data)
            connection.send_bytes(data)

    sink._connection = Twice()
    report_all(run)
    sink._connection = connection


def say_who_works(run: Any) -> None:
    say(run, "pid", str(os.getpid()))


def die_before_a_child(run: Any) -> None:
    """What it has begun lives on, and has all that was open here."""
    child = os.fork()
    if child == 0:
        time.sleep(PATIENCE)
        os._exit(0)
    say(run, "pid", str(child))
    os._exit(1)
