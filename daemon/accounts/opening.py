"""Opens the mail accounts, once the configuration is checked and the store is open."""

from __future__ import annotations

from daemon.accounts.accounts import Accounts
from daemon.accounts.key_file import KeyFile
from daemon.config import Settings
from daemon.pipelines.mail.configured import ConfiguredAccounts, mail_config
from daemon.store.database import Database
from daemon.store.ledgers.accounts.reading import read_accounts, read_renewed


def open_accounts(settings: Settings, database: Database) -> Accounts:
    """The mail accounts of the configuration and those that were made by API."""
    config = mail_config(settings.config)
    of_configuration = ConfiguredAccounts(config, settings)
    key_file = KeyFile(settings.secret_key_path)
    return Accounts(
        config.sources, of_configuration, key_file, read_accounts(database), read_renewed(database)
    )
