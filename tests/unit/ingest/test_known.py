"""What is known of files goes along with a run, small and exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.pipelines.ingest.known import KnownFile, KnownFiles, key_of, pack
from daemon.pipelines.ingest.ports import ListedFile
from daemon.taxonomy import FileStatus

HASH = "0123456789abcdef" * 2


def known(path: str, size: int = 1, mtime_ns: int = 1, **more: object) -> KnownFile:
    given = {"content_hash": HASH, "status": "success", "rows_loaded": 7, "due": False}
    return KnownFile(key_of(path), size, mtime_ns, **given | {"run_id": "r"} | more)  # type: ignore[arg-type]


def candidates(files: list[KnownFile], *listed: ListedFile) -> list[tuple[object, ...]]:
    found = KnownFiles(pack(sorted(files))).candidates(listed)
    return [(c.listed.path, c.known_hash, c.known_status, c.forced, c.known_run) for c in found]


def test_without_anything_known_every_file_is_new() -> None:
    (found,) = KnownFiles(b"").candidates([ListedFile("a", 1, 1)])
    assert (found.known_hash, found.known_status, found.known_rows) == (None, None, 0)


def test_of_a_file_that_changed_is_known_what_came_of_it() -> None:
    (found,) = KnownFiles(pack([known("a", rows_loaded=2**40)])).candidates([ListedFile("a", 1, 2)])
    assert (found.known_hash, found.known_rows) == (HASH, 2**40)
    assert found.known_status is FileStatus.SUCCESS


def test_of_files_that_are_due_the_run_is_known_that_had_them_last() -> None:
    files = [
        known("a", due=True, status="failed", run_id="one"),
        known("b", due=True, status="retrying", run_id="two"),
        known("c", due=True, status="partial", run_id="one"),
    ]
    assert candidates(files, *(ListedFile(path, 1, 1) for path in "cab")) == [
        ("c", HASH, "partial", True, "one"),
        ("a", HASH, "failed", True, "one"),
        ("b", HASH, "retrying", True, "two"),
    ]


@pytest.mark.parametrize("status", ["quarantined", "ignored"])
def test_what_a_person_set_aside_is_left_alone_even_if_it_changed(status: str) -> None:
    assert candidates([known("a", status=status)], ListedFile("a", 9, 9)) == []


paths = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(tracked=st.dictionaries(paths, st.tuples(*[st.integers(0, 2**62)] * 2), max_size=40))
def test_every_file_is_found_among_others_and_no_other_is(
    tracked: dict[str, tuple[int, int]],
) -> None:
    files = [known(path, *version) for path, version in tracked.items()]
    same = [ListedFile(path, *version) for path, version in tracked.items()]
    touched = [ListedFile(path, size, mtime + 1) for path, (size, mtime) in tracked.items()]
    others = [ListedFile(f"{path}!", 1, 1) for path in tracked if f"{path}!" not in tracked]
    assert candidates(files, *same) == []
    assert [c[0] for c in candidates(files, *touched)] == list(tracked)
    assert [c[1] for c in candidates(files, *others)] == [None] * len(others)


def test_a_hundred_thousand_files_take_five_megabytes() -> None:
    packed = pack(sorted(known(f"orders/{n}.csv", due=n % 2 == 0) for n in range(100_000)))
    assert len(packed) < 5.5 * 1000**2
