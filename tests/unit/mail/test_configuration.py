"""Mail accounts are checked whole at start; their secrets are looked up when needed and never shown."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from daemon.clock import FakeClock
from daemon.composition.checks import check
from daemon.config import Settings
from daemon.errors import ConfigError, NotFound
from daemon.pipelines.catalog import Source
from daemon.pipelines.kinds import KINDS, load_settings
from daemon.pipelines.mail.account import OAuth, Password
from daemon.pipelines.mail.config import MailConfig
from daemon.pipelines.mail.configured import ConfiguredAccounts
from daemon.pipelines.versions import version_with_secret
from daemon.scheduler import make_trigger
from daemon.service import Daemon
from daemon.store.runs import Runs
from tests.unit.mail_support import Mail, account
from tests.unit.spine_support import START, store

ACCOUNT = """
[pipelines.mail.sources.support]
host = "imap.example.com"
username = "support@example.com"
"""
OAUTH = """
[pipelines.mail.sources.support.oauth]
token_url = "https://id.example.com/token"
client_id = "me"
"""
ENVIRON = {"PW": "open sesame", "TOKEN": "refreshing"}


def settings(folder: Path, text: str, **environ: str) -> Settings:
    file = folder / "triaged.toml"
    file.write_text(text)
    return load_settings(file, {**ENVIRON, **environ})


def mistakes(folder: Path, text: str) -> dict[str, str]:
    """What is wrong, by key path."""
    return {
        problem.where.removeprefix("triaged.toml: pipelines.mail."): problem.expected
        for problem in check(settings(folder, text), KINDS)
    }


def accounts(folder: Path, text: str, **environ: str) -> ConfiguredAccounts:
    found = settings(folder, text, **environ)
    assert check(found, KINDS) == []
    config = found.config.pipelines["mail"]
    assert isinstance(config, MailConfig)
    return ConfiguredAccounts(config, found)


@pytest.mark.requirement("X2")
@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        (ACCOUNT, "sources.support", "exactly one"),
        (ACCOUNT + 'password_env = "PW"\npassword_file = "pw"', "sources.support", "exactly one"),
        (ACCOUNT + 'password_env = "PW"' + OAUTH, "sources.support", "exactly one"),
        (ACCOUNT + 'password_env = "NONE"', "sources.support.password_env", "NONE is not set"),
        (ACCOUNT + 'password_file = "none"', "sources.support.password_file", "cannot be read"),
        (ACCOUNT + OAUTH, "sources.support.oauth", "exactly one"),
        (ACCOUNT + OAUTH + 'refresh_token_env = "TOKEN"\nrefresh_token_file = "x"', "sources.support.oauth", "exactly one"),
        (ACCOUNT + OAUTH + 'refresh_token_file = "x"', "sources.support.oauth.refresh_token_file", "cannot be read"),
        (ACCOUNT + OAUTH + 'refresh_token_env = "TOKEN"\nclient_secret_env = "NONE"', "sources.support.oauth.client_secret_env", "NONE"),
        (ACCOUNT + OAUTH.replace("https", "http") + 'refresh_token_env = "TOKEN"', "sources.support.oauth.token_url", "https://"),
        (ACCOUNT + 'password_env = "PW"\nhours = 2161', "sources.support.hours", "store.retention"),
        (ACCOUNT + 'password_env = "PW"\nca_file = "none"', "sources.support.ca_file", "cannot be read"),
        (ACCOUNT + 'password_env = "PW"\nca_file = "triaged.toml"', "sources.support.ca_file", "PEM"),
        ('[pipelines.mail]\ncategoriser = "no_such_module:f"', "categoriser", "cannot import"),
        ('[pipelines.mail.labels]\nspam = "x"', "labels.spam", "is no category"),
        ('[pipelines.mail.model]\nbase_url = "http://llm.example.com"\nmodel = "m"', "model.base_url", "https://"),
        ('[pipelines.mail.model]\nbase_url = "https://a:b@llm.example.com"\nmodel = "m"', "model.base_url", "without a user name"),
        ('[pipelines.mail.model]\nbase_url = "http://127.0.0.1"\nmodel = "m"\nkey_env = "NONE"', "model.key_env", "NONE"),
        ('[pipelines.mail.model]\nbase_url = "http://[::1"\nmodel = "m"', "model.base_url", "https://"),
        ('[pipelines.mail]\ncron = "every day"', "cron", "five fields"),
        ('[pipelines.mail]\nmode = "process"', "mode", "thread"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_key_path(
    tmp_path: Path, text: str, place: str, why: str
) -> None:
    found = mistakes(tmp_path, text)
    assert list(found) == [place]
    assert why in found[place]


@pytest.mark.requirement("X2")
def test_all_mistakes_of_all_accounts_are_told_at_once_and_keep_the_daemon_from_starting(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.toml").write_text("[[rule]]\nname = 'x'\n[[rule]]\nname = 'y'\n")
    text = (
        '[pipelines.mail]\ncategories = "mine.toml"\n'
        + ACCOUNT
        + ACCOUNT.replace("support]", "sales]")
    )
    found = check(settings(tmp_path, text), KINDS)
    assert [problem.where.removeprefix("triaged.toml: ") for problem in found] == [
        "pipelines.mail.sources.support",
        "pipelines.mail.sources.sales",
        "mine.toml: rule[1].category",
        "mine.toml: rule[2].category",
    ]
    with pytest.raises(ConfigError):
        Daemon(settings(tmp_path, text))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("label", ["\\\\Seen", "[Gmail]/Trash", "a\\nb", "a\\n"])
def test_a_label_can_neither_delete_nor_mark_nor_break_a_command(
    tmp_path: Path, label: str
) -> None:
    with pytest.raises(ConfigError, match=r"labels\.newsletter: expected a label"):
        settings(tmp_path, f'[pipelines.mail.labels]\nnewsletter = "{label}"\n')


def test_an_account_that_is_switched_off_may_wait_for_its_secret(tmp_path: Path) -> None:
    assert mistakes(tmp_path, ACCOUNT + 'password_env = "NONE"\nenabled = false') == {}


def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("from a file\n")
    found = accounts(tmp_path, ACCOUNT + 'password_env = "PW"').account("support")
    assert found.credentials == Password("open sesame")
    found = accounts(tmp_path, ACCOUNT + 'password_file = "pw"').account("support")
    assert found.credentials == Password("from a file")
    oauth = (
        ACCOUNT + OAUTH + 'refresh_token_env = "TOKEN"\nclient_secret_file = "pw"\nscope = "all"'
    )
    assert accounts(tmp_path, oauth).account("support").credentials == OAuth(
        token_url="https://id.example.com/token",
        client_id="me",
        client_secret="from a file",
        refresh_token="refreshing",
        scope="all",
    )
    with pytest.raises(NotFound):
        accounts(tmp_path, ACCOUNT + 'password_env = "PW"').account("sales")


@pytest.mark.requirement("F6")
def test_no_record_shows_a_secret(tmp_path: Path) -> None:
    found = settings(tmp_path, ACCOUNT + 'password_env = "PW"')
    shown = repr(found) + repr(
        accounts(tmp_path, ACCOUNT + 'password_env = "PW"').account("support")
    )
    assert "sesame" not in shown


def test_a_cron_takes_the_place_of_the_default_interval(tmp_path: Path) -> None:
    text = '[pipelines.mail]\ncron = "0 3 * * *"' + ACCOUNT + 'password_env = "PW"'
    config = settings(tmp_path, text).config.pipelines["mail"]
    assert (config.every, config.interval) == (300, None)
    assert "cron" in str(make_trigger(config))
    default = settings(tmp_path, "[pipelines.mail]").config.pipelines["mail"]
    assert default.interval == 300
    with pytest.raises(ConfigError, match="both"):
        settings(tmp_path, '[pipelines.mail]\nevery = "1m"\ncron = "0 3 * * *"')


@pytest.mark.requirement("F3")
@pytest.mark.parametrize(
    ("more", "address"),
    [
        ("", "support@example.com"),
        ('email_address = "help@example.com"', "help@example.com"),
        ('username = "support"', None),
    ],
)
def test_the_address_of_an_account_is_shown_by_the_catalog(
    tmp_path: Path, more: str, address: str | None
) -> None:
    text = (
        ACCOUNT.replace('username = "support@example.com"', "") if "username" in more else ACCOUNT
    )
    daemon = Daemon(settings(tmp_path, f'{text}\npassword_env = "PW"\n{more}'), FakeClock(START))
    try:
        assert daemon.catalog.email_address("mail", "support") == address
        registered = daemon.catalog.pipeline("mail")
        assert (registered.interval_seconds, registered.config.concurrency) == (300, 4)
    finally:
        daemon.start(schedule=False)
        daemon.stop(0)


# --- versions ----------------------------------------------------------------------------------


@pytest.mark.requirement("F5")
def test_an_account_has_another_version_when_its_settings_or_secrets_change(tmp_path: Path) -> None:
    file = tmp_path / "pw"
    text = ACCOUNT + 'password_file = "pw"'
    file.write_text("first")
    found = accounts(tmp_path, text)
    first = found.version("support")
    assert accounts(tmp_path, text).version("support") == first
    assert accounts(tmp_path, text + "\nhours = 48").version("support") != first
    file.write_text("second")
    second = found.version("support")
    file.unlink()
    missing = found.version("support")
    file.write_text("first\n")
    assert found.version("support") == first
    assert len({first, second, missing}) == 3
    environ = ACCOUNT + 'password_env = "PW"'
    before = accounts(tmp_path, environ).version("support")
    assert accounts(tmp_path, environ, PW="another").version("support") != before


def test_a_version_does_not_hold_the_secret_or_a_plain_hash_of_it() -> None:
    version = version_with_secret("configuration", "open sesame")
    assert len(version) == 16
    assert version != version_with_secret("configuration", "open sesam")
    assert version != version_with_secret("another", "open sesame")


@pytest.mark.requirement("F4", "F5")
def test_a_password_file_that_is_gone_is_told_precisely_and_tried_again_once_it_is_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "pw"
    file.write_text("right")
    sources = {"support": account(password_env=None, password_file="pw")}
    with store(tmp_path, FakeClock(START)) as target:
        mail = Mail(target, tmp_path / "config", sources)
        file.unlink()
        mail.run()
        (failure,) = mail.failures()
        assert (failure.category, failure.rule) == ("authentication", "account_secret_missing")
        assert failure.error_message == "the file pw cannot be read"
        assert failure.step == "connecting"
        ((failed, version),) = Runs(target.database).failed_sources()
        source: Source = mail.machinery.catalog.source("mail", "support")
        mail.machinery.gate.fail(failed, version)
        assert mail.machinery.gate.waiting("mail", source) is not None
        file.write_text("right")
        assert mail.machinery.gate.waiting("mail", source) is None
        mail.run()
        assert [run[0] for run in mail.runs()] == ["failed", "success"]


def test_the_settings_of_mail_are_frozen_data(tmp_path: Path) -> None:
    config = settings(tmp_path, ACCOUNT + 'password_env = "PW"').config
    assert b"sesame" not in msgspec.json.encode(config, enc_hook=repr)
