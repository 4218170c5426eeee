"""A version says which commit it is, wherever the code came from."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from daemon import __version__
from daemon.version import WRITTEN_DOWN, commit_of
from tests.support.product import ROOT


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with a commit and no more of the product than what says its version."""
    folder = tmp_path / "clone"
    (folder / "daemon").mkdir(parents=True)
    (folder / "api").mkdir()
    for name in ("daemon/__init__.py", "daemon/version.py", "api/__init__.py"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("pyproject.toml", "hatch_build.py", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def test_a_clone_says_what_it_has_checked_out(clone: Path) -> None:
    assert commit_of(clone / "daemon") == git(clone, "rev-parse", "HEAD")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "second")
    assert commit_of(clone / "daemon") == git(clone, "rev-parse", "HEAD")


def test_so_does_one_whose_branches_are_packed_one_without_a_branch_and_a_work_tree(
    clone: Path,
) -> None:
    head = git(clone, "rev-parse", "HEAD")
    git(clone, "pack-refs", "--all")
    assert commit_of(clone / "daemon") == head
    git(clone, "checkout", "--quiet", "--detach")
    assert commit_of(clone / "daemon") == head
    git(clone, "worktree", "add", "--quiet", "-b", "beside", str(clone.parent / "beside"))
    assert commit_of(clone.parent / "beside" / "daemon") == head


def test_without_a_repository_the_commit_is_not_known(clone: Path) -> None:
    shutil.rmtree(clone / ".git")
    assert commit_of(clone / "daemon") is None
    (clone / ".git").mkdir()
    assert commit_of(clone / "daemon") is None
    (clone / ".git" / "HEAD").write_text("ref: refs/heads/none\n")
    assert commit_of(clone / "daemon") is None


def build(folder: Path, target: str, place: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", place]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (built,) = place.iterdir()
    return built


def test_a_wheel_says_what_it_was_built_from_also_by_way_of_a_source_distribution(
    clone: Path, tmp_path: Path
) -> None:
    head = git(clone, "rev-parse", "HEAD")
    wheel = build(clone, "wheel", tmp_path / "wheels")
    assert zipfile.ZipFile(wheel).read(f"daemon/{WRITTEN_DOWN}").decode().strip() == head
    assert git(clone, "status", "--porcelain", "--", "daemon", "api") == ""
    shutil.unpack_archive(build(clone, "sdist", tmp_path / "sources"), tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = build(unpacked, "wheel", tmp_path / "again")
    zipfile.ZipFile(again).extractall(tmp_path / "installed")
    assert commit_of(tmp_path / "installed" / "daemon") == head
    said = subprocess.run(
        [sys.executable, "-c", "from daemon.version import VERSION; print(VERSION)"],
        cwd=tmp_path / "installed",
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout.strip() == f"{__version__}+g{head[:12]}"
