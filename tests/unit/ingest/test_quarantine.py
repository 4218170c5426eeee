"""Files set aside and brought back."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.errors import Conflict, NotFound
from daemon.pipelines.ingest.quarantine import Occasion, Quarantine

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OCCASION = Occasion(
    category="data_malformed", user_message="Not CSV.", run_id="run-1", quarantined_at=AT
)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    place = tmp_path / "inbox" / "a.csv"
    place.parent.mkdir()
    place.write_bytes(b"content")
    os.utime(place, ns=(5, 123_456_789_000))
    return place


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    return Quarantine(tmp_path / "quarantine")


@pytest.mark.requirement("I7")
def test_a_copy_is_kept_with_a_manifest_and_the_original_stays(quarantine, original):
    manifest = quarantine.put("orders", "sub/a.csv", original, OCCASION)
    assert original.read_bytes() == b"content"
    with quarantine.open("orders", manifest.id) as copy:
        assert copy.read() == b"content"
    assert (manifest.path, manifest.size, manifest.mtime_ns) == ("sub/a.csv", 7, 123_456_789_000)
    assert (manifest.category, manifest.user_message) == ("data_malformed", "Not CSV.")
    assert (manifest.run_id, manifest.quarantined_at) == ("run-1", AT)
    assert len(manifest.content_hash) == 32
    assert quarantine.get("orders", manifest.id) == manifest
    assert quarantine.find("orders", "sub/a.csv") == [manifest]
    assert list(quarantine.all("orders")) == [manifest]


@pytest.mark.requirement("I7")
def test_the_same_content_is_kept_once_and_each_version_of_its_own(quarantine, original):
    first = quarantine.put("orders", "a.csv", original, OCCASION)
    assert quarantine.put("orders", "a.csv", original, OCCASION) == first
    original.write_bytes(b"changed")
    second = quarantine.put("orders", "a.csv", original, OCCASION)
    assert second.id != first.id
    assert len(quarantine.find("orders", "a.csv")) == 2


@pytest.mark.requirement("I7")
def test_a_release_restores_what_is_gone_and_may_be_repeated(quarantine, original):
    manifest = quarantine.put("orders", "a.csv", original, OCCASION)
    original.unlink()
    original.parent.rmdir()
    for _ in range(2):
        quarantine.release("orders", manifest.id, original)
        assert original.read_bytes() == b"content"
        assert original.stat().st_mtime_ns == 123_456_789_000
        assert [place.name for place in original.parent.iterdir()] == ["a.csv"]
    quarantine.discard("orders", manifest.id)
    quarantine.discard("orders", manifest.id)
    assert list(quarantine.all("orders")) == []
    with pytest.raises(NotFound):
        quarantine.release("orders", manifest.id, original)


@pytest.mark.requirement("I7")
def test_a_release_never_overwrites_another_file(quarantine, original):
    manifest = quarantine.put("orders", "a.csv", original, OCCASION)
    original.write_bytes(b"another")
    with pytest.raises(Conflict):
        quarantine.release("orders", manifest.id, original)
    assert original.read_bytes() == b"another"
    assert [place.name for place in original.parent.iterdir()] == ["a.csv"]


def test_a_copy_that_was_cut_short_does_not_count_and_is_made_again(quarantine, original):
    manifest = quarantine.put("orders", "a.csv", original, OCCASION)
    folder = quarantine.root / "orders" / manifest.id
    (folder / "manifest.json").unlink()
    (folder / "content").write_bytes(b"con")
    with pytest.raises(NotFound):
        quarantine.get("orders", manifest.id)
    assert quarantine.put("orders", "a.csv", original, OCCASION) == manifest
    with quarantine.open("orders", manifest.id) as copy:
        assert copy.read() == b"content"


def test_a_file_that_is_gone_cannot_be_set_aside(quarantine, original):
    original.unlink()
    with pytest.raises(NotFound):
        quarantine.put("orders", "a.csv", original, OCCASION)


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(
    ("source", "id_"),
    [("orders", "../../etc"), ("..", "0" * 16), ("orders", "0" * 16), ("a/b", "0" * 16), ("", "x")],
)
def test_no_id_reaches_outside_the_quarantine(quarantine, source, id_):
    for reach in (quarantine.get, quarantine.open, lambda *a: quarantine.release(*a, Path("/x"))):
        with pytest.raises(NotFound):
            reach(source, id_)
