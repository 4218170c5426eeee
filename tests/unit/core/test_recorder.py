"""The recorder: triaged, then stored, then told, to everybody and in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import events
from daemon.recorder import LONGEST_WORDS
from daemon.store.entries import Committed
from daemon.taxonomy import RunStatus
from tests.unit.spine_support import PATIENCE, Store, store

SECRETS = ("jane.doe@example.com", "hunter2hunter2")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as opened:
        yield opened


def test_a_subscriber_that_fails_does_not_keep_anything_from_the_others(
    target: Store, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Committed] = []

    def broken(committed: Committed) -> None:
        raise RuntimeError("no")

    target.recorder.subscribe(broken)
    target.recorder.subscribe(told.append)
    run = target.run()
    run.fail("a", "it broke")
    target.end(run)
    assert [e for batch in told for e in batch.entries] == [
        e for batch in target.committed for e in batch.entries
    ]
    assert target.writer.errors == 0
    failed = [r for r in caplog.records if getattr(r, "event", "") == "subscriber_failed"]
    assert len(failed) == len(told)


def test_nobody_sees_a_failure_that_is_not_on_disk(target: Store) -> None:
    seen: list[bool] = []

    def look(committed: Committed) -> None:
        for entry in committed.entries:
            if isinstance(entry.event, events.ItemFailed):
                row = target.database.read().row(
                    "SELECT count(*) FROM failures WHERE run_id = ?", [entry.event.run_id]
                )
                seen.append(row is not None and row[0] > 0)

    target.recorder.subscribe(look)
    run = target.run()
    for n in range(20):
        run.fail(f"{n}", "it broke")
    target.end(run)
    assert seen == [True] * 20


@pytest.mark.requirement("F6")
def test_nothing_personal_or_secret_is_stored_or_told(target: Store) -> None:
    person, secret = SECRETS
    run = target.run()
    run.step("connecting", f"connecting as {person}")
    run.fail(f"mail of {person}", f"login of {person} failed: password={secret}")
    run.fail(None, ConnectionError(f"https://x:{secret}@example.com/?token={secret} for {person}"))
    target.end(run, RunStatus.FAILED)
    everything = [
        str(row)
        for table in ("failures", "failure_groups", "runs", "run_log", "files")
        for row in target.database.read().rows(f"SELECT * FROM {table}")
    ]
    assert any("***" in text or "<" in text for text in everything)
    for text in everything:
        assert person not in text
        assert secret not in text
    for batch in target.committed:
        for entry in batch.entries:
            shown = (entry.assessment, entry.summary, entry.shown_item)
            assert not any(word in repr(shown) for word in SECRETS)
            if isinstance(entry.event, events.StepEntered | events.RunEnded):
                assert not any(word in repr(entry.event) for word in SECRETS)


def test_words_of_a_pipeline_are_kept_no_longer_than_a_path_can_be(target: Store) -> None:
    run = target.run()
    run.step("fetching", "x" * 100_000)
    run.fail("y" * 100_000, "it broke")
    target.end(run)
    ((item,),) = target.database.read().rows("SELECT item FROM failures")
    assert len(item) == LONGEST_WORDS
    ((text,),) = target.database.read().rows("SELECT text FROM run_log WHERE event = 'step'")
    assert len(text) < LONGEST_WORDS + 20
    assert len(target.runs.get(run.run_id).step) == LONGEST_WORDS


def test_long_names_that_begin_alike_are_still_different_items(target: Store) -> None:
    names = ["z" * LONGEST_WORDS + end for end in "ab"]
    first = target.run()
    for name in names:
        first.fail(name, "it broke")
    target.end(first)
    second = target.run()
    second.succeed(names[0])
    target.end(second)
    assert target.database.read().rows("SELECT status FROM failures ORDER BY id") == [
        ("resolved",),
        ("open",),
    ]


def test_the_summary_of_a_run_is_made_while_it_goes_on(target: Store) -> None:
    run = target.run()
    run.fail("a", "AUTHENTICATIONFAILED Invalid credentials")
    for item in ("b", "c"):
        run.fail(item, ConnectionRefusedError(111, "Connection refused"))
    target.end(run)
    record = target.runs.get(run.run_id)
    assert record.category == "connection"
    assert record.retryable == 2
    assert [(e.category, e.count, e.examples) for e in record.top_errors] == [
        ("connection", 2, ("b", "c")),
        ("authentication", 1, ("a",)),
    ]
    assert target.recorder._summaries == {}


def test_a_position_says_when_everything_before_it_is_on_disk(target: Store) -> None:
    run = target.run()
    for n in range(500):
        run.fail(f"{n}", "it broke")
    position = target.open_runs[run.run_id].end(RunStatus.FAILED)
    assert position is not None
    assert target.recorder.wait(position, PATIENCE)
    assert target.database.read().rows("SELECT count(*) FROM failures") == [(500,)]
