"""Keys: how they look, how they are kept, and which are good at the moment."""

from __future__ import annotations

import json
import re
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.access.key_output import GROUP, KeyNotWritten, KeyOutput
from daemon.access.keyring import LOOK_SECONDS, Key, Keyring
from daemon.access.keys import digest, is_damaged, make_key
from daemon.access.keys_file import KeysFile, KeysFileDamaged
from daemon.access.roles import may
from daemon.clock import FakeClock
from daemon.errors import Conflict, NotFound
from daemon.triage import Triage

CLOCK = FakeClock()
NOW = CLOCK.now()


@pytest.fixture
def file(tmp_path: Path) -> KeysFile:
    return KeysFile(tmp_path / "data" / "keys.json")


def ring(file: KeysFile, clock: FakeClock, *configured: Key) -> Keyring:
    return Keyring(configured, file, clock)


def looked(keyring: Keyring, clock: FakeClock) -> Keyring:
    """The keyring after it has looked at the file again."""
    clock.advance(LOOK_SECONDS)
    keyring.refresh()
    return keyring


@pytest.mark.requirement("S6")
def test_keys_have_256_bits_a_prefix_and_a_checksum() -> None:
    keys = {make_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(re.fullmatch(r"trg_[0-9A-Za-z]{49}", key) for key in keys)
    assert not any(map(is_damaged, keys))


@given(st.integers(4, 52), st.sampled_from("0aZ"))
def test_a_key_that_was_mistyped_or_cut_is_told(place: int, letter: str) -> None:
    key = make_key()
    changed = key[:place] + letter + key[place + 1 :]
    assert is_damaged(changed) == (changed != key)
    assert is_damaged(key[:place])
    assert not is_damaged("a key from the configuration")


@pytest.mark.requirement("F6", "S6")
def test_our_own_keys_are_masked_wherever_they_stand() -> None:
    key = make_key()
    for text in (key, f"refused {key}.", f'{{"note": "{key}"}}', f"https://x.example/?k={key}&a=1"):
        assert key[4:16] not in Triage.mask(text)


@pytest.mark.requirement("S6")
def test_only_a_hash_is_kept_in_a_file_of_its_own(file: KeysFile) -> None:
    key = file.create("ann", "operate", NOW)
    content = file.path.read_bytes()
    assert key.encode() not in content
    assert key[4:20].encode() not in content
    assert digest(key).hex().encode() in content
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["keys.json"]


@pytest.mark.requirement("S6")
def test_a_revoked_key_leaves_no_hash_and_frees_its_name(file: KeysFile) -> None:
    first = file.create("ann", "read", NOW)
    file.revoke("ann", NOW)
    assert digest(first).hex() not in file.path.read_text()
    file.create("ann", "admin", NOW)
    assert [(key.role, key.revoked is None) for key in file.read()] == [
        ("read", False),
        ("admin", True),
    ]


@pytest.mark.requirement("X4")
def test_names_are_unique_and_local_is_nobodys_name(file: KeysFile) -> None:
    file.create("ann", "read", NOW)
    for name in ("ann", "configured"):
        with pytest.raises(Conflict, match="there is a key named"):
            file.create(name, "read", NOW, taken=["configured"])
    with pytest.raises(Conflict, match="stands for whoever is on this machine"):
        file.create("local", "read", NOW)
    with pytest.raises(NotFound):
        file.revoke("bob", NOW)
    assert [key.name for key in file.read()] == ["ann"]


@pytest.mark.requirement("S6")
def test_a_key_is_written_for_its_program_alone_and_without_a_line_break(tmp_path: Path) -> None:
    for mode, output in (
        (0o600, KeyOutput(tmp_path / "a")),
        (0o640, KeyOutput(tmp_path / "b", GROUP)),
    ):
        assert output.read() is None
        output.write("first")
        output.write("second")
        assert output.read() == "second"
        (file,) = [path for path in tmp_path.iterdir() if path.read_bytes() == b"second"]
        assert stat.S_IMODE(file.stat().st_mode) == mode
        file.unlink()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.requirement("S6", "X3")
def test_a_key_that_could_not_be_handed_over_takes_no_name(file: KeysFile, tmp_path: Path) -> None:
    nowhere = KeyOutput(tmp_path / "missing" / "key")
    with pytest.raises(KeyNotWritten, match="missing"):
        file.create("grafana", "read", NOW, hand_over=nowhere.write)
    assert file.read() == ()
    file.create("grafana", "read", NOW, hand_over=KeyOutput(tmp_path / "key").write)
    with pytest.raises(Conflict):
        file.create("grafana", "read", NOW, hand_over=nowhere.write)


@pytest.mark.requirement("S6")
def test_a_key_is_known_by_its_name_and_role_while_it_is_good(file: KeysFile) -> None:
    key = file.create("ann", "read", NOW, expires=NOW + timedelta(days=1))
    assert file.knows(key, "ann", "read", NOW)
    assert not file.knows(key, "bob", "read", NOW)
    assert not file.knows(key, "ann", "admin", NOW)
    assert not file.knows(make_key(), "ann", "read", NOW)
    assert not file.knows(key, "ann", "read", NOW + timedelta(days=1))
    file.revoke("ann", NOW)
    assert not file.knows(key, "ann", "read", NOW)


def damaged(file: KeysFile) -> list[str]:
    """Contents that no command has written."""
    file.create("ann", "read", NOW)
    good = json.loads(file.path.read_text())
    double = {"keys": good["keys"] * 2, "version": 1}
    nobodys = json.loads(json.dumps(good).replace('"ann"', '"local"'))
    hashless = json.loads(json.dumps(good).replace(good["keys"][0]["sha256"], "12"))
    later = good | {"version": 2}
    return ["", "{", "[]", '{"keys": 3}', *map(json.dumps, (double, nobodys, hashless, later))]


@pytest.mark.requirement("S6", "X4")
def test_a_damaged_file_is_an_error_at_the_start(file: KeysFile) -> None:
    for content in damaged(file):
        file.path.write_text(content)
        with pytest.raises(KeysFileDamaged, match=re.escape(str(file.path))):
            ring(file, CLOCK)


@pytest.mark.requirement("S6")
def test_a_file_that_everybody_may_write_is_not_believed(file: KeysFile) -> None:
    file.create("ann", "read", NOW)
    file.path.chmod(0o666)
    with pytest.raises(KeysFileDamaged, match="chmod 600"):
        file.read()


@pytest.mark.requirement("S6")
def test_keys_are_found_by_their_value_in_both_places(file: KeysFile) -> None:
    stored = file.create("ann", "operate", NOW)
    keyring = ring(file, CLOCK, Key("grafana", "read", digest("g" * 20)))
    found = [keyring.find(given) for given in (stored, "g" * 20, make_key(), "")]
    assert [key and (key.name, key.role) for key in found] == [
        ("ann", "operate"),
        ("grafana", "read"),
        None,
        None,
    ]


@pytest.mark.requirement("S6")
def test_created_and_revoked_keys_count_without_a_restart(file: KeysFile) -> None:
    clock = FakeClock()
    keyring = ring(file, clock)
    assert not keyring.any
    key = file.create("ann", "read", NOW)
    keyring.refresh()
    assert keyring.find(key) is None, "looked before its time"
    assert looked(keyring, clock).find(key) is not None
    file.revoke("ann", NOW)
    assert looked(keyring, clock).find(key) is None
    assert not keyring.any


@pytest.mark.requirement("S6")
def test_a_file_that_gets_damaged_or_lost_changes_nothing(file: KeysFile) -> None:
    clock = FakeClock()
    contents = damaged(file)
    file.path.unlink()
    key = file.create("ann", "read", NOW)
    good = file.path.read_text()
    keyring = ring(file, clock)
    for content in contents:
        file.path.write_text(content)
        assert looked(keyring, clock).find(key) is not None
        assert keyring.problem is not None
    file.path.write_text(good)
    assert looked(keyring, clock).problem is None
    file.path.unlink()
    assert looked(keyring, clock).find(key) is not None
    assert keyring.problem is not None


@pytest.mark.requirement("S6")
def test_an_expired_key_is_no_longer_good_and_still_locks_the_door(file: KeysFile) -> None:
    clock = FakeClock()
    key = file.create("ann", "read", NOW, expires=NOW + timedelta(hours=1))
    keyring = ring(file, clock)
    found = keyring.find(key)
    assert found is not None
    assert not keyring.expired(found)
    assert keyring.holds(found)
    clock.advance(3600)
    assert keyring.expired(found)
    assert not keyring.holds(found)
    assert keyring.any


def test_each_role_may_do_what_those_before_it_may() -> None:
    roles = ("read", "operate", "admin")
    allowed = {(held, needed) for held in roles for needed in roles if may(held, needed)}
    assert allowed == {(h, n) for i, h in enumerate(roles) for n in roles[: i + 1]}
