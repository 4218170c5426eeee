"""The wall clock against the time that passes, and against what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from daemon.clock_watch import SHOWN_SECONDS, ClockWatch

START = datetime(2026, 11, 30, 12, tzinfo=UTC)


class TwoClocks:
    """A wall clock that can be set while time passes."""

    def __init__(self) -> None:
        self.wall, self.passed = START, 0.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.passed

    def advance(self, seconds: float) -> None:
        self.passed += seconds
        self.wall += timedelta(seconds=seconds)


def test_a_clock_that_is_set_is_told_once_and_one_that_is_corrected_slowly_is_not() -> None:
    clock, told = TwoClocks(), list[float]()
    watch = ClockWatch(clock, None, [told.append])
    for _ in range(100):
        clock.advance(1)
        clock.wall += timedelta(milliseconds=500)
        watch.look()
    assert (watch.steps, told) == (0, [])
    clock.wall -= timedelta(hours=1)
    for _ in range(3):
        clock.advance(1)
        watch.look()
    assert (watch.steps, [round(step) for step in told]) == (1, [-3600])
    assert round(watch.behind) == 3597
    assert watch.problem is not None


def test_records_of_the_future_are_spoken_of_for_an_hour_and_not_for_years() -> None:
    clock = TwoClocks()
    watch = ClockWatch(clock, START + timedelta(days=200), ())
    assert watch.problem is not None
    clock.advance(SHOWN_SECONDS + 1)
    watch.look()
    assert (watch.behind, watch.problem) == (0.0, None)
