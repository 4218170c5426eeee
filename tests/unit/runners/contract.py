"""What every runner has to keep to, wherever it carries a run out. Each one's tests derive from it."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from daemon import events
from daemon.clock import FakeClock, SystemClock
from daemon.errors import Conflict
from daemon.pipelines.catalog import Registered, Source
from daemon.pipelines.functions import load_function
from daemon.pipelines.made import Made
from daemon.pipelines.own.config import OwnConfig
from daemon.runners.runner import Runner, Workers
from daemon.store.filters import FailureFilter
from daemon.taxonomy import RunStatus, Trigger
from tests.unit.runners import contract_jobs
from tests.unit.spine_support import PATIENCE, Store, in_thread, store, wait_for

JOBS = Path(__file__).parent


class Config(OwnConfig, frozen=True, kw_only=True):
    """A pipeline that may write a database."""

    database: str | None = None

    @property
    def databases(self) -> dict[str, str]:
        return {"database": self.database} if self.database else {}


class House:
    """A runner over a store, and a folder in which functions and tests meet."""

    def __init__(self, target: Store, runner: Runner, mode: str, folder: Path) -> None:
        self.store = target
        self.runner = runner
        self.folder = folder
        self._mode = mode

    def pipeline(self, job: str, *sources: str, known: bytes = b"", **more: Any) -> Registered:
        """A function of `contract_jobs` as a pipeline."""
        load = partial(load_function, f"contract_jobs:{job}", "run", JOBS)
        return Registered(
            job,
            Made(load),
            Config(run=f"contract_jobs:{job}", mode=self._mode, **more),  # type: ignore[arg-type]
            {source: Source(source, True, {}) for source in sources or ("one",)},
            look_up=lambda _source, _wanted: known,
        )

    def run(
        self,
        pipeline: Registered,
        source: str = "one",
        wanted: frozenset[str] | None = None,
        **options: Any,
    ) -> RunStatus:
        """One run, from begin to end."""
        chosen = Source(source, True, {"folder": str(self.folder), **options})
        return self.runner.run(pipeline, chosen, "cycle", Trigger.MANUAL, wanted)

    def begin(
        self, pipeline: Registered, source: str = "one"
    ) -> tuple[threading.Thread, list[RunStatus]]:
        """A run that goes on, and where it will be said how it ended."""
        ends: list[RunStatus] = []
        return in_thread(lambda: ends.append(self.run(pipeline, source))), ends

    def hear(self, name: str) -> str:
        """What a function says, once it says it."""
        wait_for((self.folder / name).exists)
        return (self.folder / name).read_text()

    def say(self, name: str) -> None:
        """Lets a function go on."""
        (self.folder / name).touch()

    def events(self) -> list[events.AnyEvent]:
        """All that was stored, in order."""
        assert self.store.writer.flush(PATIENCE)
        return self.store.events()

    def failure(self) -> Any:
        """The only failure."""
        (found,) = self.store.failures.page(FailureFilter(), 10).failures
        return found


class RunnerContract:
    """Derive from it, name the mode, and say who its workers are."""

    mode: ClassVar[str]

    @pytest.fixture
    def elsewhere(self) -> Any:
        """Workers besides the threads, by mode."""
        raise NotImplementedError

    @pytest.fixture
    def house(self, tmp_path: Path, elsewhere: dict[str, Workers]) -> Iterator[House]:
        with store(tmp_path, SystemClock()) as target:
            target.writer.start()
            runner = Runner(target.recorder, target.clock, elsewhere)
            yield House(target, runner, self.mode, tmp_path)

    @pytest.mark.requirement("X3", "S8")
    @pytest.mark.parametrize("call", ["progress", "total", "skip", "fail"])
    @pytest.mark.parametrize("which", range(len(contract_jobs.ABSURD)))
    def test_a_number_that_is_none_fails_the_run_and_says_which_was_expected(
        self, house: House, call: str, which: int
    ) -> None:
        job = house.pipeline("report_absurdly")
        assert house.run(job, call=call, which=which) is RunStatus.FAILED
        failure = house.failure()
        assert f"run.{'progress' if call == 'total' else call}: expected" in failure.error_message
        assert "from 0 to" in failure.error_message
        assert house.store.live.active() == []

    def test_what_a_function_reports_is_stored_in_order(self, house: House) -> None:
        assert house.run(house.pipeline("report_all")) is RunStatus.PARTIAL
        found = house.events()
        assert [type(event).__name__ for event in found] == [
            *("RunStarted", "StepEntered", "ItemSucceeded", "ItemSkipped", "StepEntered"),
            *("ItemFailed", "RunEnded"),
        ]
        failed, ended = found[-2:]
        assert isinstance(failed, events.ItemFailed)
        assert (failed.item, failed.step, failed.in_part) == ("b", "processing", True)
        assert (failed.row_count, failed.sample_rows, failed.column) == (2, (3, 9), "amount")
        assert isinstance(ended, events.RunEnded)
        assert ended.counts == events.Counts(succeeded=1, failed=1, skipped=4)
        assert (ended.step, ended.progress_current, ended.progress_total) == ("the last", 3, 3)
        assert len({event.run_id for event in found if isinstance(event, events.RunEvent)}) == 1
        assert house.store.live.active() == []

    @pytest.mark.parametrize(
        ("failures", "successes", "status"),
        [
            ([], [], RunStatus.SUCCESS),
            ([], ["a"], RunStatus.SUCCESS),
            ([("b", "x")], ["a"], RunStatus.PARTIAL),
            ([("b", "x")], [], RunStatus.FAILED),
            ([(None, "x")], ["a"], RunStatus.FAILED),
        ],
    )
    def test_what_a_run_comes_to_follows_from_its_items(
        self, house: House, failures: Any, successes: Any, status: RunStatus
    ) -> None:
        job = house.pipeline("fail_some")
        assert house.run(job, failures=failures, successes=successes) is status
        assert house.store.database.read().rows("SELECT status FROM runs") == [(status.value,)]

    def test_names_that_are_no_text_fail_nobody(self, house: House) -> None:
        """As a file may have that was named elsewhere: Python keeps such bytes as surrogates."""
        job = house.pipeline("fail_some")
        names = {"failures": [("caf\udce9.csv", "no caf\udce9")], "successes": ["a\udcff"]}
        assert house.run(job, **names) is RunStatus.PARTIAL
        named = [getattr(event, "item", None) for event in house.events()]
        assert named == [None, "caf\udce9.csv", "a\udcff", None]
        assert (house.failure().item, house.failure().error_message) == ("caf.csv", "no caf")

    def test_many_events_come_in_order_and_none_is_lost(self, house: House) -> None:
        assert house.run(house.pipeline("report_many"), events=3000) is RunStatus.SUCCESS
        items = [e.item for e in house.events() if isinstance(e, events.ItemSucceeded)]
        assert items == [f"{number}" for number in range(3000)]
        (run,) = house.store.database.read().rows("SELECT succeeded, progress_current FROM runs")
        assert run == (3000, 3000)

    def test_a_function_is_told_its_source_options_and_what_is_wanted_and_known(
        self, house: House
    ) -> None:
        day, wanted = dt.date(2026, 12, 1), frozenset({"a"})
        house.run(house.pipeline("say_what_it_was_told", known=b"\0\1"), "one", wanted, day=day)
        assert house.hear("told") == repr(("one", day, wanted, b"\0\1"))

    def test_what_a_function_raises_is_a_failure_of_its_run_and_masked(self, house: House) -> None:
        assert house.run(house.pipeline("refuse")) is RunStatus.FAILED
        failure = house.failure()
        assert (failure.item, failure.category, failure.step) == (None, "connection", "connecting")
        assert failure.exception_type == "ConnectionRefusedError"
        assert "hunter2" not in repr(house.store.database.read().rows("FROM failures"))

    def test_a_function_that_leaves_the_program_fails_its_run_only(self, house: House) -> None:
        assert house.run(house.pipeline("leave")) is RunStatus.FAILED
        assert house.failure().exception_type == "SystemExit"
        assert house.run(house.pipeline("report_all")) is RunStatus.PARTIAL

    def test_what_is_raised_and_no_exception_fails_the_run_only(self, house: House) -> None:
        job = house.pipeline("panic")
        assert house.run(job) is RunStatus.FAILED
        failure = house.failure()
        assert failure.exception_type == "asyncio.exceptions.CancelledError"
        assert failure.step == "processing"
        assert not house.runner.is_active(job.name, "one")

    def test_numbers_may_be_of_a_type_of_their_own(self, house: House) -> None:
        assert house.run(house.pipeline("count_with_numbers_of_its_own")) is RunStatus.FAILED
        rows = house.store.database.read().rows("SELECT skipped, progress_current FROM runs")
        assert rows == [(2, 2)]
        assert (house.failure().row_count, list(house.failure().sample_rows)) == (2, [7])

    def test_what_cannot_be_described_fails_the_run_only(self, house: House) -> None:
        assert house.run(house.pipeline("raise_what_cannot_be_described")) is RunStatus.FAILED
        assert (house.failure().exception_type or "").endswith("Unspeakable")
        assert house.run(house.pipeline("report_all")) is RunStatus.PARTIAL

    @pytest.mark.parametrize("job", ["raise_as_if_it_had_ended", "overwrite_its_run"])
    def test_a_function_cannot_keep_its_run_from_its_end(self, house: House, job: str) -> None:
        assert house.run(house.pipeline(job)) is RunStatus.FAILED
        assert house.store.database.read().rows("SELECT status FROM runs") == [("failed",)]

    @pytest.mark.requirement("X3")
    def test_what_is_absurd_is_refused_and_the_failure_says_so(self, house: House) -> None:
        assert house.run(house.pipeline("report_what_is_absurd")) is RunStatus.FAILED
        failures = [e for e in house.events() if isinstance(e, events.ItemFailed)]
        assert len(failures) == len({e.item for e in failures}) == 5 * 10 + 3 + 4 + 1 + 1
        *refused, odd, last = failures
        assert all(e.error.message.startswith("run.") for e in refused)
        assert all(": expected " in e.error.message for e in refused)
        assert (odd.error.retry_after, odd.error.errno, odd.error.http_status) == (None,) * 3
        assert (last.item, last.error.message[:12]) == (None, "run.progress")
        rows = house.store.database.read().rows("SELECT skipped, progress_current FROM runs")
        assert rows == [(0, None)]

    def test_what_a_fork_reports_is_refused_and_not_lost_in_silence(self, house: House) -> None:
        assert house.run(house.pipeline("report_from_a_fork")) is RunStatus.SUCCESS
        assert house.hear("refused") == "ForkedReport"
        items = [e.item for e in house.events() if isinstance(e, events.ItemSucceeded)]
        assert items == ["in the function"]

    def test_a_function_that_does_not_exist_fails_its_run(self, house: House) -> None:
        assert house.run(house.pipeline("nowhere")) is RunStatus.FAILED
        assert "has no function 'nowhere'" in house.failure().error_message

    def test_what_cannot_be_looked_up_fails_the_run(self, house: House) -> None:
        def refuse(_source: str, _wanted: frozenset[str] | None) -> bytes:
            raise ConnectionResetError(104, "Connection reset by peer")

        job = house.pipeline("report_all")
        job = Registered(job.name, job.function, job.config, job.sources, look_up=refuse)
        assert house.run(job) is RunStatus.FAILED
        assert house.failure().category == "connection"

    def test_a_source_runs_once_at_a_time(self, house: House) -> None:
        job = house.pipeline("finish_when_allowed")
        thread, ends = house.begin(job)
        house.hear("began-one")
        assert house.runner.is_active(job.name, "one")
        with pytest.raises(Conflict):
            house.run(job)
        house.say("go")
        thread.join(PATIENCE)
        assert ends == [RunStatus.SUCCESS]
        assert not house.runner.is_active(job.name, "one")
        assert house.run(job) is RunStatus.SUCCESS

    def test_when_all_is_cancelled_runs_stop_and_those_that_finish_are_not_cut_short(
        self, house: House
    ) -> None:
        polite, polite_ends = house.begin(house.pipeline("stop_when_asked"), "polite")
        busy, busy_ends = house.begin(house.pipeline("finish_when_allowed"), "busy")
        house.hear("began-polite")
        house.hear("began-busy")
        house.runner.cancel()
        polite.join(PATIENCE)
        house.say("go")
        busy.join(PATIENCE)
        assert (polite_ends, busy_ends) == ([RunStatus.INTERRUPTED], [RunStatus.SUCCESS])

    def test_a_run_that_does_not_stop_is_interrupted_and_reports_no_more(
        self, house: House
    ) -> None:
        thread, ends = house.begin(house.pipeline("finish_when_allowed"))
        house.hear("began-one")
        house.runner.cancel()
        assert house.runner.interrupt() == 1
        assert house.runner.interrupt() == 0
        house.say("go")
        thread.join(PATIENCE)
        assert ends == [RunStatus.INTERRUPTED]
        assert type(house.events()[-1]) is events.RunEnded
        rows = house.store.database.read().rows("SELECT status, succeeded FROM runs")
        assert rows == [("interrupted", 0)]

    def test_nothing_is_taken_after_the_end(self, house: House) -> None:
        assert house.run(house.pipeline("go_on_after_the_end")) is RunStatus.SUCCESS
        house.say("go")
        assert house.hear("refused") == "RunClosed"
        assert type(house.events()[-1]) is events.RunEnded
        assert house.store.database.read().rows("SELECT succeeded FROM runs") == [(0,)]


class RemoteContract(RunnerContract):
    """What those have to keep to besides, whose functions run in another process."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        """What the workers' limits of time are measured by."""
        return FakeClock()

    @pytest.mark.requirement("X7")
    @pytest.mark.parametrize(
        ("how", "message"),
        [
            ("exit", "ended itself with exit code 3"),
            ("SIGKILL", "was killed (SIGKILL)"),
            ("segfault", "crashed in native code (SIGSEGV)"),
        ],
    )
    def test_a_run_whose_process_dies_fails_alone(
        self, house: House, how: str, message: str
    ) -> None:
        other, ends = house.begin(house.pipeline("finish_when_allowed"), "other")
        house.hear("began-other")
        assert house.run(house.pipeline("die"), how=how) is RunStatus.FAILED
        failure = house.failure()
        assert (failure.item, failure.category, failure.retryable) == (None, "resource", True)
        assert failure.step == "processing"
        assert message in failure.error_message
        assert failure.suggested_action
        house.say("go")
        other.join(PATIENCE)
        assert ends == [RunStatus.SUCCESS]
        assert house.store.database.read().rows(
            "SELECT status, succeeded, step FROM runs WHERE source = 'one'"
        ) == [("failed", 1, "the last file")]

    @pytest.mark.requirement("X7")
    def test_after_a_crash_the_source_runs_again(self, house: House) -> None:
        job = house.pipeline("die_once")
        assert house.run(job) is RunStatus.FAILED
        assert house.run(job) is RunStatus.SUCCESS

    @pytest.mark.requirement("X7")
    def test_what_a_dead_process_had_begun_ends_with_it(self, house: House) -> None:
        assert house.run(house.pipeline("die_before_a_child")) is RunStatus.FAILED
        wait_for(lambda: not is_running(int(house.hear("pid"))))

    def test_a_process_that_a_function_forks_can_be_terminated(self, house: House) -> None:
        assert house.run(house.pipeline("end_a_fork")) is RunStatus.SUCCESS

    def test_where_it_crashed_is_in_the_log(self, house: House) -> None:
        house.run(house.pipeline("die"), how="segfault")
        texts = house.store.database.read().rows(
            "SELECT text FROM run_log WHERE event = 'failure_text'"
        )
        assert "string_at" in repr(texts)

    @pytest.mark.requirement("X7")
    def test_a_run_that_needs_too_much_memory_fails_alone(self, house: House) -> None:
        job = house.pipeline("take_memory", run_memory_limit=200_000_000)
        assert house.run(job) is RunStatus.FAILED
        failure = house.failure()
        assert failure.error_message == "The run needed more memory than its limit of 200 MB."
        assert (failure.category, failure.step) == ("resource", "processing")
        assert house.run(house.pipeline("report_all")) is RunStatus.PARTIAL

    @pytest.mark.requirement("X7")
    def test_a_run_that_takes_too_long_is_told_to_stop(
        self, house: House, clock: FakeClock
    ) -> None:
        thread, ends = house.begin(house.pipeline("stop_when_asked", run_time_limit=60.0))
        house.hear("began-one")
        clock.advance(61)
        thread.join(PATIENCE)
        assert ends == [RunStatus.FAILED]
        failure = house.failure()
        assert failure.error_message == "The run took longer than its limit of 60 s."
        assert failure.category == "resource"

    @pytest.mark.requirement("X7")
    def test_a_run_that_does_not_stop_in_time_is_ended(
        self, house: House, clock: FakeClock
    ) -> None:
        thread, ends = house.begin(house.pipeline("hold_the_interpreter", run_time_limit=60.0))
        worker = int(house.hear("pid"))
        clock.advance(90)
        thread.join(PATIENCE)
        assert ends == [RunStatus.FAILED]
        assert house.failure().category == "resource"
        wait_for(lambda: not is_running(worker))

    def test_what_is_sent_twice_is_taken_once(self, house: House) -> None:
        assert house.run(house.pipeline("stutter")) is RunStatus.PARTIAL
        kinds = [type(event).__name__ for event in house.events()]
        assert kinds.count("ItemSucceeded") == kinds.count("ItemFailed") == 1
        assert house.store.database.read().rows("SELECT succeeded, failed, skipped FROM runs") == [
            (1, 1, 4)
        ]


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
