"""What is kept on disk: whole, and for its owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.durable import make_private_folder


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_folders_that_are_made_are_for_their_owner_and_those_that_are_there_stay(
    tmp_path: Path,
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    make_private_folder(shared / "data" / "deep")
    make_private_folder(shared / "data" / "deep")
    modes = [stat.S_IMODE((shared / place).stat().st_mode) for place in ("", "data", "data/deep")]
    assert modes == [0o755, 0o700, 0o700]


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(FileExistsError):
        make_private_folder(tmp_path / "data")
