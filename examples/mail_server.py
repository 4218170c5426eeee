"""The example's mail server: two accounts with made-up mail, held in memory.

`make run` starts it. By itself, till Ctrl-C: `.venv/bin/python examples/mail_server.py`. With
`--while-open` it ends when its standard input does. It listens on this machine only, unless `--host`
names another address.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from argparse import ArgumentParser
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from pymap.backend.dict import Config, DictBackend, MailboxSet
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxData
from pymap.imap import IMAPService
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials.flag import Wildcard
from pymap.user import Passwords, UserMetadata

PORT = 10143
ACCOUNTS = {"support@example.com": "a-demo-password", "billing@example.com": "the-new-password"}
"""Billing's password was changed: the example's configuration still has the old one."""
AT_FIRST = 60
NEW_EVERY_SECONDS = 15.0
PEOPLE = ("ada", "ben", "chloe", "dmitri", "eva", "farid", "grace", "hiro", "ines", "jonas")
QUESTIONS = ("Where is my order?", "A broken cup", "Which tea do you like?", "Two lids too many")


async def main(host: str, port: int, *, while_open: bool, tell_ready: int | None) -> None:
    """Serves until it is stopped."""
    keep_keywords()
    backend, config = await DictBackend.init(arguments(host, port))
    config.apply_context()
    mailboxes = [await add_account(backend, name, word) for name, word in ACCOUNTS.items()]
    choose = random.Random(20)
    for mailbox in mailboxes:
        for number in range(AT_FIRST):
            received = datetime.now(UTC) - timedelta(minutes=20 * (AT_FIRST - number))
            await deliver(mailbox, message(choose, number, received), received)
    async with AsyncExitStack() as stack:
        await IMAPService(backend, config).start(stack)
        if tell_ready is not None:
            os.close(tell_ready)
        mail = asyncio.create_task(keep_writing(mailboxes, choose))
        if while_open:
            await asyncio.to_thread(sys.stdin.read)
            mail.cancel()
        with suppress(asyncio.CancelledError):
            await mail


def keep_keywords() -> None:
    """Lets folders keep any keyword, as most servers do; pymap's own keep the system flags only."""
    of_the_system = MailboxData.permanent_flags
    MailboxData.permanent_flags = property(lambda folder: of_the_system.fget(folder) | {Wildcard})


def arguments(host: str, port: int) -> object:
    """What pymap's own command line makes of `--host HOST --port PORT --no-tls dict`."""
    parser = ArgumentParser()
    parser.set_defaults(debug=False, skip_services=[], passlib_cfg=None)
    IMAPService.add_arguments(parser)
    DictBackend.add_subparser("dict", parser.add_subparsers())
    return parser.parse_args(["--host", host, "--port", str(port), "--no-tls", "dict"])


async def add_account(backend: DictBackend, name: str, password: str) -> MailboxData:
    """Makes an account; returns its inbox."""
    config: Config = backend.config
    hashed = await Passwords(config).hash_password(password)
    backend.login.users_dict[name] = UserMetadata(config, name, password=hashed)
    folders = MailboxSet()
    config.set_cache[name] = (folders, FilterSet())
    return await folders.get_mailbox("INBOX")


async def keep_writing(mailboxes: list[MailboxData], choose: random.Random) -> None:
    """Somebody writes every now and then."""
    number = AT_FIRST
    while True:
        await asyncio.sleep(NEW_EVERY_SECONDS)
        now = datetime.now(UTC)
        for mailbox in mailboxes:
            await deliver(mailbox, message(choose, number, now), now)
        number += 1


async def deliver(mailbox: MailboxData, mail: EmailMessage, received: datetime) -> None:
    """Puts a message into a folder."""
    await mailbox.append(
        AppendMessage(mail.as_bytes(policy=SMTP), received, frozenset()), recent=True
    )


def message(choose: random.Random, number: int, sent: datetime) -> EmailMessage:
    """A question, an answer, a newsletter or a note from a machine."""
    person = choose.choice(PEOPLE)
    mail = EmailMessage()
    mail["From"] = f"{person.title()} <{person}.{number}@example.org>"
    mail["To"] = "Support <support@example.com>"
    mail["Date"] = format_datetime(sent)
    mail["Message-ID"] = f"<{number}.{person}@example.org>"
    mail["Subject"] = choose.choice(QUESTIONS)
    kind = choose.randrange(4)
    if kind == 0:
        mail.replace_header("From", "Tea Weekly <news@tea.example.net>")
        mail["List-Id"] = "<weekly.tea.example.net>"
        mail["List-Unsubscribe"] = "<https://tea.example.net/unsubscribe>"
    elif kind == 1:
        mail.replace_header("From", "Shop <no-reply@shop.example.net>")
        mail["Auto-Submitted"] = "auto-generated"
    elif kind == 2:
        mail.replace_header("Subject", f"Re: {mail['Subject']}")
        mail["In-Reply-To"] = f"<{number}.support@example.com>"
    mail.set_content("This message was made up for an example.\n")
    return mail


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--while-open", action="store_true", help="end when standard input does")
    parser.add_argument("--tell-ready", type=int, help="file descriptor to close once it listens")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with suppress(KeyboardInterrupt):
        try:
            served = main(
                options.host,
                options.port,
                while_open=options.while_open,
                tell_ready=options.tell_ready,
            )
            asyncio.run(served)
        except OSError as error:
            sys.exit(
                f"The example's mail server cannot listen on port {options.port}: {error.strerror}"
            )
