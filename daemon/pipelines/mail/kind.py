"""The mail pipeline as the rest knows it."""

from __future__ import annotations

from daemon.config import Settings
from daemon.errors import Problem
from daemon.pipelines.catalog import Registered
from daemon.pipelines.kind import Kind, Surroundings
from daemon.pipelines.mail.config import PIPELINE, MailConfig
from daemon.pipelines.mail.configured import ConfiguredAccounts
from daemon.pipelines.mail.look_up import MessageLookUp
from daemon.pipelines.mail.ports import KeptAccounts
from daemon.pipelines.mail.retry import plan_messages


def _check(_name: str, config: MailConfig, settings: Settings) -> list[Problem]:
    from daemon.pipelines.mail.checks import problems_of

    return problems_of(config, settings)


def _build(name: str, config: MailConfig, around: Surroundings) -> Registered:
    # Its libraries are imported only here: without mail they take no memory.
    from daemon.pipelines.mail.categoriser import Categoriser
    from daemon.pipelines.mail.pipeline import MailPipeline
    from daemon.pipelines.mail.session import open_mailbox

    settings = around.settings
    accounts: KeptAccounts = around.ports["accounts"]
    categoriser = Categoriser.of(config, settings)
    pipeline = MailPipeline(config, accounts, categoriser, open_mailbox, around.clock)
    look_up = MessageLookUp(accounts, around.ports["messages"], around.clock)
    sources = ConfiguredAccounts(config, settings).sources()
    sources |= {source.name: source for source in accounts.to_run()}
    return Registered(
        name, pipeline, config, sources, plan_messages, look_up, per_server=config.per_server
    )


MAIL = Kind(
    name=PIPELINE,
    config=MailConfig,
    check=_check,
    build=_build,
    ledgers=(
        "daemon.store.ledgers.messages.ledger:MESSAGES",
        "daemon.store.ledgers.accounts.ledger:ACCOUNTS",
    ),
)
