"""Secrets of mail accounts: sealed, bound to their account and server, and never shown."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.accounts.accounts import Accounts
from daemon.accounts.key_file import KeyFile
from daemon.accounts.sealing import seal, unseal
from daemon.accounts.secret import Secret
from daemon.accounts.settings import decode_settings, encode_settings
from daemon.accounts.verification import AT_A_TIME, Verifier
from daemon.clock import SystemClock
from daemon.config import Config, Secrets, Settings
from daemon.config.values import Duration
from daemon.errors import Conflict, CredentialsMissing, NotFound
from daemon.pipelines.mail.account import MailAccount, OAuth, Password
from daemon.pipelines.mail.config import MailConfig, MailOAuth, MailSource
from daemon.pipelines.mail.configured import ConfiguredAccounts, mailbox_of
from daemon.pipelines.mail.facts import AccountRemoved, AccountSaved
from daemon.store.ledgers.accounts.reading import StoredAccount, read_accounts
from daemon.taxonomy import Category
from tests.unit.spine_support import PATIENCE, START, TRIAGE, decided, in_thread, store

KEY = bytes(range(32))
PASSWORD = "correct-horse-battery"
SOURCE = MailSource(host="imap.example.com", username="ann@example.com")
OAUTH = MailOAuth(token_url="https://auth.example.com/token", client_id="client", scope="mail")


def saved(name: str = "ann", **changes: Any) -> AccountSaved:
    source = msgspec.structs.replace(SOURCE, **changes.pop("settings", {}))
    values: dict[str, Any] = {
        "by": "admin",
        "name": name,
        "settings": encode_settings(source),
        "mailbox": mailbox_of(name, source),
        "sealed": b"\x01\x00\xff'; DROP TABLE accounts",
        "version": 1,
        "changed": ("host",),
    }
    return AccountSaved(**values | changes)


@pytest.mark.requirement("S10")
@given(
    password=st.text(min_size=1),
    name=st.text(min_size=1),
    host=st.text(min_size=1),
    port=st.none() | st.integers(1, 65535),
)
def test_a_sealed_secret_opens_for_the_same_account_and_server_alone(
    password: str, name: str, host: str, port: int | None
) -> None:
    source = msgspec.structs.replace(SOURCE, host=host, port=port)
    secret = Secret(password=password)
    sealed = seal(KEY, secret, name, source)
    assert unseal(KEY, sealed, name, source) == secret
    others = {
        "name": (name + "x", source),
        "host": (name, msgspec.structs.replace(source, host=host + ".evil")),
        "tls": (name, msgspec.structs.replace(source, tls="none", port=993)),
        "oauth": (name, msgspec.structs.replace(source, oauth=OAUTH)),
    }
    for other_name, other_source in others.values():
        with pytest.raises(CredentialsMissing, match="belongs to another account"):
            unseal(KEY, sealed, other_name, other_source)


@pytest.mark.requirement("S10")
@given(place=st.integers(0, 60), bit=st.integers(0, 7))
def test_a_sealed_secret_with_any_bit_changed_does_not_open(place: int, bit: int) -> None:
    sealed = bytearray(seal(KEY, Secret(password=PASSWORD), "ann", SOURCE))
    sealed[place] ^= 1 << bit
    with pytest.raises(CredentialsMissing):
        unseal(KEY, bytes(sealed), "ann", SOURCE)


@pytest.mark.requirement("S10")
@pytest.mark.parametrize("length", [0, 1, 5, 17, 20])
def test_a_sealed_secret_that_was_cut_off_does_not_open(length: int) -> None:
    sealed = seal(KEY, Secret(password=PASSWORD), "ann", SOURCE)
    with pytest.raises(CredentialsMissing):
        unseal(KEY, sealed[:length], "ann", SOURCE)


@pytest.mark.requirement("S10")
def test_equal_secrets_are_never_sealed_alike_and_another_key_is_named_as_such() -> None:
    secret = Secret(password=PASSWORD)
    sealed = [seal(KEY, secret, "ann", SOURCE) for _ in range(100)]
    assert len({text[5:17] for text in sealed}) == 100
    with pytest.raises(CredentialsMissing, match="encrypted with another key"):
        unseal(KEY[::-1], sealed[0], "ann", SOURCE)


def test_no_repr_shows_a_secret() -> None:
    secret = Secret(password=PASSWORD, client_secret=PASSWORD, refresh_token=PASSWORD)
    assert PASSWORD not in repr(secret)
    assert PASSWORD not in repr(MailAccount("ann", SOURCE, Password(PASSWORD)))
    oauth = secret.credentials(msgspec.structs.replace(SOURCE, oauth=OAUTH))
    assert isinstance(oauth, OAuth)
    assert (oauth.refresh_token, oauth.scope) == (PASSWORD, "mail")
    assert PASSWORD not in repr(oauth)


@pytest.mark.requirement("S10")
def test_the_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "data" / "secret.key")
    with pytest.raises(CredentialsMissing, match="is not there"):
        file.read()
    key = file.read_or_create()
    assert len(key) == 32
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.read_or_create() == file.read() == key
    assert [path.name for path in file.path.parent.iterdir()] == ["secret.key"]
    assert KeyFile(tmp_path / "other.key").read_or_create() != key


@pytest.mark.requirement("S10", "X4")
@pytest.mark.parametrize(
    "content", [b"", b"short", b"\xff" * 44, b"A" * 45, b"!" * 44, b"A" * 10**4]
)
def test_a_damaged_key_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret.key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(CredentialsMissing, match="is damaged"):
        KeyFile(path).read_or_create()
    assert path.read_bytes() == content


@pytest.mark.requirement("S10")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o666])
def test_a_key_file_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = KeyFile(tmp_path / "secret.key")
    key = file.read_or_create()
    file.path.chmod(mode)
    with pytest.raises(CredentialsMissing, match="chmod 600"):
        file.read()
    file.path.chmod(0o400)
    assert file.read() == key


def test_a_folder_in_place_of_the_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CredentialsMissing, match="is no file"):
        KeyFile(tmp_path).read()


def test_settings_are_stored_without_loss() -> None:
    source = msgspec.structs.replace(SOURCE, oauth=OAUTH, timeout=Duration(1.5), hours=48, port=143)
    assert decode_settings(encode_settings(source)) == source
    assert isinstance(decode_settings(encode_settings(source)).timeout, Duration)


@pytest.mark.requirement("S10", "X3")
def test_accounts_are_stored_replaced_and_removed_in_their_order(tmp_path: Path) -> None:
    later = START + timedelta(hours=1)
    with store(tmp_path) as target:
        target.put(decided(saved()), decided(saved("bob")))
        again = saved(by="eve", version=2, settings={"hours": 1}, sealed=b"two")
        target.put(
            decided(AccountRemoved(by="eve", name="bob"), later),
            decided(saved("bob", version=7)),
            decided(again, later),
            decided(AccountRemoved(by="eve", name="nobody"), later),
        )
        ann, bob = read_accounts(target.database)
        assert ann == StoredAccount.of(again, later, StoredAccount.of(saved(), START, None))
        assert (ann.created_at, ann.created_by, ann.updated_by) == (START, "admin", "eve")
        assert (bob.version, bob.sealed) == (7, saved().sealed)
    with store(tmp_path) as target:
        assert [account.name for account in read_accounts(target.database)] == ["ann", "bob"]


def accounts(folder: Path, *stored: StoredAccount, **configured: MailSource) -> Accounts:
    mail = MailConfig(sources=configured)
    secrets = Secrets({"MAIL_PASSWORD": PASSWORD})
    settings = Settings(Config(), folder / "triaged.toml", secrets=secrets)
    key_file = KeyFile(folder / "secret.key")
    return Accounts(mail.sources, ConfiguredAccounts(mail, settings), key_file, stored)


@pytest.mark.requirement("S10", "X2")
def test_secrets_of_the_configuration_are_looked_up_for_every_run(tmp_path: Path) -> None:
    by_file = msgspec.structs.replace(SOURCE, password_file="ann.password")
    by_env = msgspec.structs.replace(SOURCE, password_env="MAIL_PASSWORD")
    oauth = msgspec.structs.replace(OAUTH, refresh_token_env="MAIL_PASSWORD")
    found = accounts(
        tmp_path,
        ann=by_file,
        bob=by_env,
        cy=msgspec.structs.replace(SOURCE, oauth=oauth),
        di=SOURCE,
    )
    with pytest.raises(CredentialsMissing, match="cannot be read"):
        found.account("ann")
    (tmp_path / "ann.password").write_text("first\n")
    assert found.account("ann").credentials == Password("first")
    (tmp_path / "ann.password").write_text("second\n")
    assert found.account("ann").credentials == Password("second")
    assert found.account("bob").credentials == Password(PASSWORD)
    assert found.account("cy").credentials == OAuth(
        token_url=OAUTH.token_url,
        client_id="client",
        client_secret=None,
        refresh_token=PASSWORD,
        scope="mail",
    )
    with pytest.raises(CredentialsMissing):
        found.account("di")
    with pytest.raises(NotFound):
        found.account("nobody")


@pytest.mark.requirement("S10")
def test_the_configuration_wins_over_an_account_of_the_same_name(tmp_path: Path) -> None:
    by_api = accounts(tmp_path)
    sealed = by_api.sealed("ann", SOURCE, Secret(password="by api"))
    kept = StoredAccount.of(saved(sealed=sealed), START, None)
    by_api.put(kept)
    assert by_api.account("ann").credentials == Password("by api")
    assert [source.email_address for source in by_api.to_run()] == ["ann@example.com"]
    by_env = msgspec.structs.replace(SOURCE, password_env="MAIL_PASSWORD")
    both = accounts(tmp_path, kept, ann=by_env)
    assert both.account("ann").credentials == Password(PASSWORD)
    assert both.to_run() == []
    assert both.secret(both.kept("ann")) == Secret(password="by api")


@pytest.mark.requirement("S10")
def test_the_version_of_a_source_changes_with_settings_and_secret(tmp_path: Path) -> None:
    found = accounts(tmp_path)
    changes = ({}, {"sealed": b"other"}, {"settings": {"hours": 1}}, {"version": 2})
    versions = {
        found.put(StoredAccount.of(saved(**c), START, None)).to_run().version() for c in changes
    }
    assert len(versions) == 4
    again = accounts(tmp_path, StoredAccount.of(saved(), START, None))
    assert again.to_run()[0].version() in versions


class OneAccount:
    """Gives the same account, or says what is wrong with it."""

    def account(self, name: str) -> MailAccount:
        if name == "keyless":
            raise CredentialsMissing("the key file is damaged")
        return MailAccount(name, SOURCE, Password(PASSWORD))


def verifier(login: Any, seconds: float = 10.0) -> Verifier:
    return Verifier(OneAccount(), TRIAGE, SystemClock(), login, seconds)


@pytest.mark.requirement("S10")
def test_a_login_that_fails_is_answered_with_its_triage() -> None:
    def refuses(account: MailAccount, _: Any) -> None:
        raise ConnectionRefusedError(111, "refused")

    found = verifier(refuses).verify("ann")
    assert found.failed is not None
    assert (found.failed.category, found.failed.retryable) == (Category.CONNECTION, True)
    missing = verifier(refuses).verify("keyless")
    assert missing.failed is not None
    assert missing.failed.message == "the key file is damaged"


@pytest.mark.requirement("S10")
def test_a_login_that_hangs_is_given_up_and_keeps_its_place_until_it_ends() -> None:
    may_end, seen = threading.Event(), list[MailAccount]()

    def hangs(account: MailAccount, _: Any) -> None:
        seen.append(account)
        may_end.wait(PATIENCE)

    hasty = verifier(hangs, 0.05)
    found = [hasty.verify("ann") for _ in range(AT_A_TIME)]
    assert {f.failed.category for f in found if f.failed} == {Category.CONNECTION}
    assert (seen[0].source.timeout, seen[0].source.deadline) == (0.05, 0.05)
    with pytest.raises(Conflict, match="being tried already"):
        hasty.verify("ann")
    may_end.set()
    for thread in threading.enumerate():
        if thread.name == "verify-ann":
            thread.join(PATIENCE)
    assert hasty.verify("ann").failed is None


def test_logins_are_tried_side_by_side() -> None:
    together = threading.Barrier(2)
    both = verifier(lambda *_: together.wait(PATIENCE))
    thread = in_thread(lambda: both.verify("ann"))
    assert both.verify("bob").failed is None
    thread.join(PATIENCE)
