"""A refresh token that came in place of another outlives the process, encrypted, for accounts of both origins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from daemon.accounts.key_file import KeyFile
from daemon.accounts.renewals import KeptRenewals
from daemon.pipelines.mail.account import OAuth
from daemon.pipelines.mail.facts import AccountRemoved, RefreshTokenRenewed
from daemon.store import upkeep
from daemon.store.ledgers.accounts.reading import read_renewed
from tests.unit.spine_support import LEDGERS, START, Store, decided, store

GIVEN = OAuth(
    token_url="https://example.com/token",
    client_id="client",
    client_secret=None,
    refresh_token="given-1",
    scope=None,
)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as opened:
        yield opened


def renewals(target: Store, folder: Path) -> KeptRenewals:
    """What a start of the daemon finds."""
    found = KeptRenewals(KeyFile(folder / "secret.key"), read_renewed(target.database))

    def keep(renewed: RefreshTokenRenewed) -> None:
        target.put(decided(renewed))

    found.connect(keep)
    return found


@pytest.mark.requirement("S10")
def test_the_newest_refresh_token_is_there_after_a_restart(target: Store, tmp_path: Path) -> None:
    first = renewals(target, tmp_path)
    assert first.latest(GIVEN) is None
    first.keep("support", GIVEN, "newer-2")
    first.keep("support", GIVEN, "newest-3")
    assert renewals(target, tmp_path).latest(GIVEN) == "newest-3"


@pytest.mark.requirement("S10", "F6")
def test_it_is_stored_encrypted_and_tells_nothing_of_the_one_before(
    target: Store, tmp_path: Path
) -> None:
    renewals(target, tmp_path).keep("support", GIVEN, "newer-2")
    ((token_id, sealed),) = read_renewed(target.database).items()
    assert b"newer-2" not in sealed
    assert "given" not in token_id
    (tmp_path / "secret.key").unlink()
    assert renewals(target, tmp_path).latest(GIVEN) is None
    renewals(target, tmp_path).keep("other", GIVEN, "newer-3")
    assert token_id in read_renewed(target.database), "another key, another id"


@pytest.mark.requirement("S10")
def test_another_token_that_a_person_gives_takes_its_place(target: Store, tmp_path: Path) -> None:
    renewals(target, tmp_path).keep("support", GIVEN, "newer-2")
    again = renewals(target, tmp_path)
    assert again.latest(msgspec.structs.replace(GIVEN, refresh_token="given-2")) is None
    assert again.latest(msgspec.structs.replace(GIVEN, client_id="other")) is None


@pytest.mark.requirement("S10")
def test_it_goes_with_its_account_and_when_it_is_good_for_nothing_any_more(
    target: Store, tmp_path: Path
) -> None:
    renewals(target, tmp_path).keep("gone", GIVEN, "newer-2")
    other = msgspec.structs.replace(GIVEN, refresh_token="given-2")
    renewals(target, tmp_path).keep("support", other, "newer-3")
    target.put(decided(AccountRemoved(by="ann", name="gone")))
    assert renewals(target, tmp_path).latest(GIVEN) is None
    kept = timedelta(days=90)
    upkeep.expire(target.database.writer, LEDGERS, START + timedelta(days=400), kept)
    assert renewals(target, tmp_path).latest(other) == "newer-3"
    upkeep.expire(target.database.writer, LEDGERS, START + timedelta(days=500), kept)
    assert renewals(target, tmp_path).latest(other) is None
