"""Listing and finding the files of an ingestion."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import UnsafePath
from daemon.pipelines.ingest.failures import FolderError
from daemon.pipelines.ingest.folder import InputFolder, glob_problem


def fill(base: Path, *paths: str) -> None:
    for path in paths:
        place = base / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("x")


def listed(folder: InputFolder) -> list[str]:
    return [each.path for batch in folder.batches() for each in batch]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("in/*.csv", ["a.csv", "b.csv"]),
        ("in/a.csv", ["a.csv"]),
        ("in/[ab].csv", ["a.csv", "b.csv"]),
        ("in/?.txt", ["a.txt"]),
        ("in/*/*.csv", ["sub/c.csv"]),
        ("in/**/*.csv", ["a.csv", "b.csv", "sub/c.csv", "sub/deep/d.csv"]),
        ("in/sub/**", ["c.csv", "deep/d.csv"]),
        ("in/s*/deep/*.csv", ["sub/deep/d.csv"]),
        ("./in/../in/*.txt", ["a.txt"]),
        ("in/*.{csv,txt}", ["a.csv", "a.txt", "b.csv"]),
        ("in/{a,b}.csv", ["a.csv", "b.csv"]),
        ("in/{sub/c,{a,b}}.csv", ["a.csv", "b.csv", "sub/c.csv"]),
        ("in/**/{c,d}.csv", ["sub/c.csv", "sub/deep/d.csv"]),
        ("in/{,sub/}*.csv", ["a.csv", "b.csv", "sub/c.csv"]),
        ("in/{sub,none}/**", ["sub/c.csv", "sub/deep/d.csv"]),
    ],
)
def test_a_glob_lists_sorted_paths_relative_to_its_fixed_folder(tmp_path, glob, expected):
    fill(tmp_path, "in/b.csv", "in/a.csv", "in/a.txt", "in/sub/c.csv", "in/sub/deep/d.csv")
    assert listed(InputFolder(tmp_path, glob)) == expected
    assert listed(InputFolder(Path("/elsewhere"), str(tmp_path / glob))) == expected


def test_hidden_and_unfinished_files_are_left_out(tmp_path: Path):
    fill(tmp_path, ".a", "b.tmp", "c.PART", "~$d.csv", ".git/e", "f")
    assert listed(InputFolder(tmp_path, "**/*")) == ["f"]


def test_links_are_followed_within_the_folder_only(tmp_path: Path):
    fill(tmp_path, "in/a.csv", "out/b.csv")
    (tmp_path / "in/inside.csv").symlink_to(tmp_path / "in/a.csv")
    (tmp_path / "in/outside.csv").symlink_to(tmp_path / "out/b.csv")
    (tmp_path / "in/dangling.csv").symlink_to(tmp_path / "in/none.csv")
    (tmp_path / "in/folder").symlink_to(tmp_path / "out")
    folder = InputFolder(tmp_path, "in/**/*.csv")
    assert listed(folder) == ["a.csv", "inside.csv"]
    for path in ("outside.csv", "folder/b.csv"):
        with pytest.raises(UnsafePath):
            folder.resolve(path)


def test_only_regular_files_are_listed(tmp_path: Path):
    fill(tmp_path, "a")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert listed(InputFolder(tmp_path, "*")) == ["a"]


def test_a_listing_tells_size_and_time(tmp_path: Path):
    fill(tmp_path, "a")
    os.utime(tmp_path / "a", ns=(1, 123_456_789))
    [[file]] = InputFolder(tmp_path, "*").batches()
    assert (file.size, file.mtime_ns) == (1, 123_456_789)


def test_batches_hold_what_they_are_told(tmp_path: Path):
    fill(tmp_path, *(f"{n}" for n in range(10)))
    assert [len(batch) for batch in InputFolder(tmp_path, "*").batches(size=4)] == [4, 4, 2]


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(
    "path",
    [
        "../b.csv",
        "/etc/passwd",
        "a.txt",
        "",
        ".",
        "sub/../../b.csv",
        "a.csv\0",
        "./a.csv",
        ".h.csv",
    ],
)
def test_no_path_escapes_the_folder_or_the_glob(tmp_path, path):
    fill(tmp_path, "in/a.csv", "in/a.txt", "b.csv", "in/.h.csv")
    folder = InputFolder(tmp_path, "in/**/*.csv")
    assert folder.resolve("a.csv") == tmp_path / "in/a.csv"
    with pytest.raises(UnsafePath):
        folder.resolve(path)


@pytest.mark.requirement("I6")
@given(st.text(max_size=30))
def test_whatever_the_path_it_resolves_within_the_folder_or_not_at_all(path):
    folder = InputFolder(Path("/srv"), "in/**")
    try:
        place = folder.resolve(path)
    except UnsafePath:
        return
    assert Path(os.path.normpath(place)).is_relative_to("/srv/in")


def test_a_name_that_is_not_utf8_is_listed_so_that_it_can_be_reported(tmp_path: Path):
    (tmp_path / os.fsdecode(b"a\xff.csv")).write_text("x")
    folder = InputFolder(tmp_path, "*.csv")
    assert listed(folder) == ["a\\xff.csv"]
    assert folder.unnameable == {"a\\xff.csv"}


def test_a_missing_folder_is_an_error_of_its_own(tmp_path: Path):
    with pytest.raises(FolderError) as raised:
        listed(InputFolder(tmp_path, "none/*.csv"))
    assert raised.value.error_class == "FOLDER_MISSING"


@pytest.mark.parametrize("glob", ["in/", "/", "in/*/../x", "in/a**/b", "a\0b", "..", "in/*.{csv", "in/{a}.csv", "in/{a,/}",
             "{a,b}" * 7 + ".csv"])  # fmt: skip
def test_a_glob_that_cannot_work_is_refused(glob):
    assert glob_problem(glob)


@pytest.mark.parametrize(
    "glob", ["*.csv", "../in/*.csv", "/abs/**/x[1].csv", "in/a.csv", "*.{csv,tsv}", "[{]a.csv"]
)
def test_a_glob_that_works_is_accepted(glob):
    assert glob_problem(glob) is None
