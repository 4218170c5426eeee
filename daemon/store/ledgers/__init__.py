"""The ledgers: what the store keeps of each kind of thing beyond runs and failures. Here is the list of them."""

from __future__ import annotations

from daemon.store.ledger import Ledgers
from daemon.store.ledgers.accounts.ledger import ACCOUNTS
from daemon.store.ledgers.files.ledger import FILES
from daemon.store.ledgers.messages.ledger import MESSAGES

LEDGERS = Ledgers([FILES, MESSAGES, ACCOUNTS])
