"""The parts of live status by themselves: tokens, pace, a client that is behind, and a day of traffic."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from api.sockets.board import Board
from api.sockets.broadcaster import Broadcaster, Pace
from api.sockets.closing import LONGEST_REASON, MEANINGS, Close, Refused
from api.sockets.description import document
from api.sockets.follower import Follower, message
from api.sockets.status import STATUS
from api.sockets.tokens import LIFETIME, MOST_OF_ONE, Tokens
from daemon import events
from daemon.clock import FakeClock
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
from daemon.triage import describe
from tests.unit.spine_support import PATIENCE, started, who

DAY = 86_400.0


class Wire:
    """A connection that takes messages until it is shut, and again once it is open."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.statuses = 0
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, event: Any) -> None:
        await self.open.wait()
        if event["text"].startswith('{"type":"status_update"'):
            self.statuses += 1
        else:
            self.told.append(json.loads(event["text"]))


def test_a_token_works_once_and_for_a_minute() -> None:
    clock = FakeClock()
    tokens = Tokens(clock)
    token, expires = tokens.issue("dashboard")
    assert expires - clock.now() == LIFETIME
    assert tokens.redeem(token + "x") is None
    redeemed = tokens.redeem(token)
    assert redeemed is not None
    assert redeemed.name == "dashboard"
    assert tokens.redeem(token) is None
    late, _ = tokens.issue("dashboard")
    clock.advance(60)
    assert tokens.redeem(late) is None


def test_the_tokens_of_one_key_do_not_crowd_out_those_of_another() -> None:
    tokens = Tokens(FakeClock())
    other, _ = tokens.issue("other")
    own = [tokens.issue("dashboard")[0] for _ in range(MOST_OF_ONE + 5)]
    assert [tokens.redeem(token) is None for token in own[:6]] == [True] * 5 + [False]
    assert (redeemed := tokens.redeem(other)) is not None
    assert redeemed.name == "other"
    assert len(tokens._issued) == MOST_OF_ONE - 1


@given(reason=st.text(max_size=300))
def test_a_reason_fits_into_a_close_frame(reason: str) -> None:
    given = reason.encode("utf-8", "ignore").decode()
    assert len(Refused(4400, given).reason.encode()) <= LONGEST_REASON


def run(test: Callable[[], Any]) -> None:
    asyncio.run(test())


def messages(*numbers: int) -> list[dict[str, Any]]:
    return [message(json.dumps({"n": number})) for number in numbers]


def test_a_client_that_keeps_up_is_told_everything_in_its_order() -> None:
    async def scene() -> None:
        wire = Wire()
        follower = Follower("a", wire.send, FakeClock())
        for number in range(5):
            assert follower.offer(messages(number, number + 10))
            await asyncio.sleep(0)
            assert follower.behind() == 0
        assert [one["n"] for one in wire.told] == [0, 10, 1, 11, 2, 12, 3, 13, 4, 14]
        await follower.leave()

    run(scene)


def test_a_client_that_is_behind_is_offered_nothing_till_it_catches_up() -> None:
    async def scene() -> None:
        clock, wire = FakeClock(), Wire()
        follower = Follower("a", wire.send, clock)
        follower.announced = 10
        wire.open.clear()
        assert follower.offer(messages(1), notices=3)
        clock.advance(7)
        assert not follower.offer(messages(2))
        assert follower.behind() == 7
        assert follower.notices_missed(12) == 5
        wire.open.set()
        await asyncio.sleep(0.01)
        assert follower.behind() == 0
        assert follower.notices_missed(12) == 2
        assert follower.offer(messages(3))
        await asyncio.sleep(0)
        assert wire.told == [{"n": 1}, {"n": 3}]
        await follower.leave()

    run(scene)


def test_who_leaves_while_something_is_under_way_leaves_no_task_behind() -> None:
    async def scene() -> None:
        wire = Wire()
        follower = Follower("a", wire.send, FakeClock())
        wire.open.clear()
        follower.offer(messages(1))
        assert len(asyncio.all_tasks()) == 2
        await follower.leave()
        assert len(asyncio.all_tasks()) == 1
        assert not follower.offer(messages(2))

    run(scene)


def test_a_connection_that_breaks_is_offered_nothing_more() -> None:
    async def scene() -> None:
        async def broken(_: Any) -> None:
            raise OSError("gone")

        follower = Follower("a", broken, FakeClock())
        follower.offer(messages(1))
        await asyncio.sleep(0)
        assert follower.is_behind
        assert follower.behind() == 0
        await follower.leave()

    run(scene)


@pytest.mark.requirement("F1")
def test_every_message_is_described_and_every_reference_leads_somewhere() -> None:
    described_messages = document()
    text = json.dumps(described_messages)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        found: Any = described_messages
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    types = {kind.__struct_config__.tag for kind in STATUS.messages}
    assert types == {"status_update", "failure", "recent_runs", "pong", "error"}
    assert set(described_messages["components"]["messages"]) == types | {"get_recent_runs", "ping"}
    fields = described_messages["components"]["schemas"]["Status"]["properties"]
    assert all("description" in field for field in fields.values())
    page = (Path(__file__).parents[3] / "docs/live.md").read_text()
    assert [code for code in MEANINGS if f"| {int(code)} |" not in page] == []


@contextmanager
def daemon_at(folder: Path, clock: FakeClock) -> Iterator[Daemon]:
    (folder / "idle.py").write_text("def work(run):\n    run.skip()\n")
    (folder / "triaged.toml").write_text('[pipelines.idle]\nrun = "idle:work"\n')
    daemon = Daemon(load_settings(folder / "triaged.toml", {}), clock)
    daemon.start(schedule=False)
    try:
        yield daemon
    finally:
        daemon.stop(1)


@pytest.mark.requirement("S4", "X3")
def test_while_the_store_cannot_be_read_what_is_live_is_told_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(daemon: Daemon) -> None:
        texts: list[str] = []

        async def send(event: Any) -> None:
            texts.append(event["text"])

        board = Board(daemon.offered)
        broadcaster = Broadcaster(board, daemon.metrics, daemon.clock, Pace())
        begun = started("run-1", daemon.clock.now(), pipeline="idle", source="idle").event
        assert isinstance(begun, events.RunStarted)
        daemon.live.begin(begun)
        daemon.database.close()
        async with broadcaster.following(Follower("a", send, daemon.clock)):
            await board.freshen(1)
        status = json.loads(texts[0])["data"]
        assert status["current_processing"]["run_id"] == "run-1"
        assert status["failure_count"] is status["has_failures"] is status["statistics"] is None
        (warning,) = [r for r in caplog.records if r.__dict__.get("event") == "live_unread"]
        assert warning.levelname == "WARNING"

    with daemon_at(tmp_path, FakeClock()) as daemon:
        asyncio.run(scene(daemon))


class Traffic:
    """A day of a daemon: a run that goes on, failures now and then and sometimes many, and hiccups."""

    def __init__(self, daemon: Daemon, clock: FakeClock, wires: list[Wire]) -> None:
        self.failures = 0
        self._daemon, self._clock, self._wires = daemon, clock, wires
        self._chance = random.Random(4)
        self._until = [0.0] * len(wires)
        daemon.recorder.record(started("run-1", clock.now(), pipeline="idle", source="idle").event)

    def go_on(self) -> None:
        """What happens between two ticks."""
        now, chance = self._clock.monotonic(), self._chance
        if chance.random() < 0.05:
            made = events.ProgressMade(
                **who("run-1", self._clock.now(), "idle", "idle"), current=int(now), total=None
            )
            self._daemon.recorder.progress(made)
        if chance.random() < 0.001:
            self._fail(chance.choice([1, 1, 1, 40]))
        for number, wire in enumerate(self._wires):
            if chance.random() < 0.0005:
                # Up to nine seconds without taking anything: a tunnel, a closed lid.
                wire.open.clear()
                self._until[number] = now + chance.uniform(0.1, 9)
            elif now >= self._until[number]:
                wire.open.set()

    def _fail(self, count: int) -> None:
        for _ in range(count):
            self.failures += 1
            self._daemon.recorder.record(
                events.ItemFailed(
                    **who("run-1", self._clock.now(), "idle", "idle"),
                    item=f"item {self.failures}",
                    error=describe("connection refused"),
                    step="processing",
                    duration_seconds=1.0,
                )
            )


@pytest.mark.slow
@pytest.mark.requirement("S4", "F7", "S8")
def test_in_a_day_no_healthy_client_is_dropped_and_none_misses_a_failure(tmp_path: Path) -> None:
    clock = FakeClock()

    async def scene(daemon: Daemon) -> None:
        wires, deaf = [Wire() for _ in range(3)], Wire()
        traffic = Traffic(daemon, clock, wires)
        over = asyncio.Event()

        async def sleep(seconds: float) -> None:
            clock.advance(seconds)
            if clock.monotonic() < DAY:
                traffic.go_on()
            elif daemon.writer.flush(10) and clock.monotonic() > DAY + 60:
                over.set()
            for wire in [wires[0]] if clock.monotonic() < DAY else wires:
                wire.open.set()
            await asyncio.sleep(0)

        pace = Pace(update=1, read=5)
        broadcaster = Broadcaster(Board(daemon.offered), daemon.metrics, clock, pace, sleep)
        followers = []
        async with AsyncExitStack() as opened:
            for name, wire in enumerate([*wires, deaf]):
                follower = Follower(str(name), wire.send, clock)
                followers.append(follower)
                await opened.enter_async_context(broadcaster.following(follower))
            deaf.open.clear()
            await over.wait()
        assert [follower.dropped.done() for follower in followers] == [False] * 3 + [True]
        assert followers[3].dropped.result().code == Close.TOO_SLOW
        for wire in wires:
            assert {message["type"] for message in wire.told} == {"failure"}
            assert sum(message["data"]["count"] for message in wire.told) == traffic.failures
            assert DAY / 3 <= wire.statuses <= DAY
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            _, going_on = await asyncio.wait(left, timeout=PATIENCE)
            assert going_on == set()
        registry: CollectorRegistry = daemon.metrics.registry
        assert registry.get_sample_value("triaged_live_dropped_total") == 1
        assert broadcaster.clients == 0

    with daemon_at(tmp_path, clock) as daemon:
        asyncio.run(scene(daemon))
