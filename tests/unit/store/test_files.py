"""Tracked files: what has to be read again, what a person decided, and the badge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.clock import FakeClock
from daemon.errors import NotFound
from daemon.pipelines.ingest.known import KnownFiles
from daemon.pipelines.ingest.ports import Candidate, ListedFile
from daemon.store.ledgers.files.reading import NO_FILES, FileFilter, Files
from daemon.store.retries import Retries
from daemon.taxonomy import Category, FileStatus
from tests.unit.spine_support import (
    LEDGERS,
    START,
    Store,
    assessed,
    facts,
    failed,
    marked,
    started,
    store,
    succeeded,
)

RETRYABLE = assessed("refused", category=Category.CONNECTION)
VERSION = "now"
"""Of the configuration."""


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as opened:
        yield opened


@pytest.fixture
def files(target: Store) -> Files:
    return Files(target.database, target.clock)


def listed(*paths: str, size: int = 10, mtime_ns: int = 1) -> list[ListedFile]:
    """Files as a folder lists them; unchanged since `facts` unless said."""
    return [ListedFile(path, size, mtime_ns) for path in paths]


def candidates(files: Files, source: str, found: list[ListedFile]) -> list[Candidate]:
    """Which of the files of a folder a run looks at."""
    return KnownFiles(files.known(source, None, VERSION)).candidates(found)


def due(files: Files, *paths: str, **facts: int) -> list[str]:
    return [c.listed.path for c in candidates(files, "orders", listed(*paths, **facts))]


@pytest.mark.requirement("I1")
def test_only_new_and_changed_files_are_looked_at_in_listed_order(
    target: Store, files: Files
) -> None:
    target.put(*(succeeded("run", path, facts=facts(path)) for path in "abc"))
    assert due(files, "a", "b", "c") == []
    assert due(files, "c", "a", size=11) == ["c", "a"]
    assert due(files, "a", mtime_ns=2) == ["a"]
    (new, changed) = candidates(files, "orders", [ListedFile("z", 1, 1), ListedFile("a", 11, 1)])
    assert (new.known_hash, new.known_status, new.forced) == (None, None, False)
    assert (changed.known_hash, changed.known_status) == ("00" * 16, FileStatus.SUCCESS)
    assert candidates(files, "orders", []) == []
    assert len(candidates(files, "other", listed("a", "b"))) == 2


@pytest.mark.requirement("F5")
def test_a_file_is_due_again_when_its_retry_is_and_not_before(target: Store, files: Files) -> None:
    clock = target.clock
    assert isinstance(clock, FakeClock)
    target.put(
        failed("run", "a", facts=facts("a"), assessment=RETRYABLE),
        failed("run", "b", facts=facts("b")),
    )
    assert due(files, "a", "b") == []
    assert Retries(target.database).pending(LEDGERS.waiting) == {"ingest": 1}
    retry_at = files.get("orders", "a").retry_at
    assert retry_at is not None
    clock.advance((retry_at - clock.now()).total_seconds())
    (candidate,) = candidates(files, "orders", listed("a", "b"))
    assert (candidate.listed.path, candidate.forced) == ("a", True)


@pytest.mark.requirement("I2")
def test_a_file_that_may_not_be_read_is_due_in_every_cycle(target: Store, files: Files) -> None:
    denied = assessed("denied", category=Category.PERMISSION)
    unread = replace(facts("a"), content_hash="")
    target.put(failed("run", "a", facts=unread, assessment=denied))
    target.put(failed("run", "b", facts=facts("b"), assessment=denied))
    target.put(failed("run", "c", facts=replace(facts("c"), content_hash="")))
    (candidate,) = candidates(files, "orders", listed("a", "b", "c"))
    assert (candidate.listed.path, candidate.forced) == ("a", True)
    target.put(failed("run-2", "a", facts=unread, assessment=denied))
    assert due(files, "a", "b", "c") == ["a"]
    target.put(succeeded("run-3", "a", facts=facts("a")))
    assert due(files, "a", "b", "c") == []


@pytest.mark.requirement("I2")
def test_what_failed_under_another_configuration_is_due_once(target: Store, files: Files) -> None:
    for run_id, version in (("run-1", "before"), ("run-2", VERSION)):
        target.put(started(run_id, source_version=version))
        target.put(failed(run_id, f"{run_id}-failed", facts=facts(f"{run_id}-failed")))
        target.put(failed(run_id, f"{run_id}-part", facts=facts(f"{run_id}-part"), in_part=True))
        target.put(succeeded(run_id, f"{run_id}-whole", facts=facts(f"{run_id}-whole")))
        target.put(failed(run_id, f"{run_id}-aside", facts=facts(f"{run_id}-aside")))
        target.put(marked(FileStatus.IGNORED, f"{run_id}-aside"))
    paths = sorted(files.paths("orders"))
    assert due(files, *paths) == ["run-1-failed", "run-1-part"]
    target.put(failed("run-2", "run-1-failed", facts=facts("run-1-failed")))
    target.put(succeeded("run-2", "run-1-part", facts=facts("run-1-part")))
    assert due(files, *paths) == []


@pytest.mark.requirement("I6", "I7")
def test_what_a_person_decided_about_a_file_holds(target: Store, files: Files) -> None:
    target.put(*(failed("run", path, facts=facts(path), assessment=RETRYABLE) for path in "abc"))
    target.put(
        marked(FileStatus.RETRYING, "a"),
        marked(FileStatus.QUARANTINED, "b"),
        marked(FileStatus.IGNORED, "c"),
    )
    (candidate,) = candidates(files, "orders", listed("a", "b", "c"))
    assert (candidate.listed.path, candidate.forced) == ("a", True)
    assert due(files, "a", "b", "c", size=99) == ["a"]
    assert Retries(target.database).pending(LEDGERS.waiting) == {"ingest": 1}
    statuses = target.database.read().rows("SELECT item, status FROM failures ORDER BY item")
    assert statuses == [("a", "retrying"), ("b", "quarantined"), ("c", "ignored")]


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("status", [FileStatus.QUARANTINED, FileStatus.IGNORED])
def test_what_a_person_decided_holds_against_a_run_that_was_under_way(
    target: Store, files: Files, status: FileStatus
) -> None:
    target.put(failed("run", "a", facts=facts("a")))
    target.put(marked(status, "a"))
    target.put(succeeded("later", "a", facts=facts("a", rows_loaded=5)))
    assert files.get("orders", "a").status == status
    target.put(marked(FileStatus.RETRYING, "a"))
    target.put(succeeded("latest", "a", facts=facts("a", rows_loaded=5)))
    assert files.get("orders", "a").status == FileStatus.SUCCESS


def test_a_run_that_wants_some_files_is_told_of_these_only(target: Store, files: Files) -> None:
    target.put(*(succeeded("run", path, facts=facts(path)) for path in ("a", "ä", "日本")))
    told = KnownFiles(files.known("orders", frozenset({"ä", "gone"}), VERSION))
    found = told.candidates(listed("a", "ä", "日本"))
    assert [(c.listed.path, c.known_hash is None) for c in found] == [("a", True), ("日本", True)]


def test_a_run_is_told_of_folders_that_could_not_be_listed(target: Store, files: Files) -> None:
    target.put(failed("run", "a/"), failed("run", "b/"), failed("run", "c"))
    target.put(succeeded("later", "b/"))
    assert KnownFiles(files.known("orders", None, VERSION)).closed == {"a/"}
    assert KnownFiles(files.known("other", None, VERSION)).closed == set()


@pytest.mark.requirement("I2")
def test_the_newest_arrival_is_of_the_last_new_version_whatever_was_tried_since(
    target: Store, files: Files
) -> None:
    def newest() -> datetime | None:
        return KnownFiles(files.known("orders", None, VERSION)).newest

    later = START + timedelta(hours=5)
    same, fresh = facts("a"), facts("a", arrived=True)
    assert newest() is None
    target.put(started("run"))
    assert newest() == START
    target.put(succeeded("run", "a", later, facts=fresh))
    assert newest() == later
    target.put(failed("run-2", "a", later + timedelta(hours=1), facts=same))
    assert newest() == later
    target.put(failed("run-3", "a", later + timedelta(hours=2), facts=fresh))
    assert newest() == later + timedelta(hours=2)
    target.put(failed("run-4", "a", later + timedelta(hours=3), facts=same))
    assert newest() == later + timedelta(hours=2)


def test_of_several_causes_in_one_run_the_first_describes_the_file(
    target: Store, files: Files
) -> None:
    first = failed(
        "run", "a", facts=facts("a", rows_rejected=9), in_part=True, assessment=RETRYABLE
    )
    second = failed("run", "a", facts=facts("a", rows_rejected=9), in_part=True)
    target.put(first)
    target.put(second)
    record = files.get("orders", "a")
    assert (record.category, record.status, record.rows_rejected) == ("connection", "partial", 9)
    assert (record.retry_count, record.last_attempt) == (0, START)
    target.put(failed("run-2", "a", facts=facts("a"), assessment=RETRYABLE))
    again = files.get("orders", "a")
    assert (again.status, again.retry_count, again.run_id) == ("failed", 1, "run-2")
    target.put(succeeded("run-3", "a", facts=facts("a", rows_loaded=5)))
    loaded = files.get("orders", "a")
    assert (loaded.status, loaded.category, loaded.retry_count) == ("success", None, 0)
    assert (loaded.error_message, loaded.retry_at, loaded.rows_loaded) == (None, None, 5)


STATUSES = ("success", "partial", "failed", "retrying", "quarantined", "ignored")
paths = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=8
)


@pytest.mark.requirement("I6")
@settings(max_examples=12, deadline=None)
@given(
    found=st.dictionaries(paths, st.sampled_from(STATUSES), min_size=1, max_size=12),
    limit=st.integers(1, 6),
    status=st.none() | st.sampled_from(STATUSES),
)
def test_paging_finds_every_file_once_by_path_and_the_badge_counts_them(
    tmp_path_factory: pytest.TempPathFactory,
    found: dict[str, str],
    limit: int,
    status: str | None,
) -> None:
    with store(tmp_path_factory.mktemp("files")) as target:
        files = Files(target.database, target.clock)
        for path, wanted in found.items():
            if wanted == "success":
                target.writer.put(succeeded("run", path, facts=facts(path, rows_loaded=2)))
            else:
                in_part = wanted == "partial"
                target.writer.put(failed("run", path, facts=facts(path), in_part=in_part))
        for given_status in STATUSES[3:]:
            paths = [path for path, wanted in found.items() if wanted == given_status]
            target.writer.put(marked(FileStatus(given_status), *paths))
        target.put()
        seen, after = [], None
        f = FileFilter(status=status)
        expected = sorted((p for p, s in found.items() if status in (None, s)), key=str.encode)
        while True:
            page = files.page("orders", f, limit, after)
            assert page.total == len(expected)
            seen += [file.path for file in page.files]
            after = page.next_cursor
            if after is None:
                break
        assert seen == expected == files.paths("orders", f)
        assert files.tracked("orders", [*found, "not there"]) == set(found)
        badge, counts = files.badge("orders"), Counter(found.values())
        assert [getattr(badge, name) for name in STATUSES] == [counts[name] for name in STATUSES]
        assert badge.files == len(found)
        assert badge.failed_count == counts["failed"] + counts["partial"]
        assert badge.rows_loaded == 2 * counts["success"]


def test_filters_over_files_restrict_and_their_text_is_no_pattern(
    target: Store, files: Files
) -> None:
    target.put(
        failed("run", "A%.csv", facts=facts("A%.csv"), assessment=RETRYABLE),
        failed("run", "b_1.csv", facts=facts("b_1.csv", rejects="x.jsonl")),
    )
    assert files.paths("orders", FileFilter(category="connection")) == ["A%.csv"]
    assert files.paths("orders", FileFilter(retryable=False)) == ["b_1.csv"]
    assert files.paths("orders", FileFilter(q="a%")) == ["A%.csv"]
    assert files.paths("orders", FileFilter(q="_")) == ["b_1.csv"]
    assert files.paths("orders", FileFilter(q="'")) == []
    assert files.rejects("orders") == [("b_1.csv", "x.jsonl")]


def test_what_is_not_tracked_is_told(files: Files) -> None:
    assert files.badge("orders") == NO_FILES
    assert files.badges() == {}
    assert files.tracked("orders", []) == set()
    for path in ("a", "../a", "/etc/passwd", ""):
        with pytest.raises(NotFound):
            files.get("orders", path)
