"""From an account to its folder: connect, log in, select. A refused access token is renewed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from daemon.clock import Clock
from daemon.pipelines.mail import errors
from daemon.pipelines.mail.account import MailAccount, OAuth
from daemon.pipelines.mail.config import MailSource
from daemon.pipelines.mail.conversation import ImapConversation
from daemon.pipelines.mail.login import log_in, xoauth2
from daemon.pipelines.mail.ports import Watch
from daemon.pipelines.mail.watchdog import Watchdog
from daemon.taxonomy import RunState


class SelectedFolder(msgspec.Struct, frozen=True):
    """What the server said when it was selected."""

    uidvalidity: int
    offered: frozenset[bytes]
    """Capabilities after the login."""
    permanent: frozenset[str] | None
    """PERMANENTFLAGS, when the server told them."""


class Opener:
    """Opens the folder of one account, as often as a run needs it."""

    def __init__(
        self,
        account: MailAccount,
        watch: Watch,
        watchdog: Watchdog,
        clock: Clock,
        conceal: Callable[[str], None],
    ) -> None:
        """`conceal` is told every secret that turns up on the way."""
        self._account = account
        self._watch = watch
        self._watchdog = watchdog
        self._clock = clock
        self._conceal = conceal

    def open(self) -> tuple[ImapConversation, SelectedFolder]:
        """A connection that is logged in, and its folder. Raises what goes wrong, all closed again."""
        try:
            return self._open_once()
        except (errors.TokenLoginRefused, errors.AccessTokenExpired):
            if not isinstance(self._account.credentials, OAuth):
                raise
        return self.open_with_new_token()

    def open_with_new_token(self) -> tuple[ImapConversation, SelectedFolder]:
        """The same after the access token turned out to be of no use any more."""
        if isinstance(self._account.credentials, OAuth):
            from daemon.pipelines.mail.oauth import TOKENS

            TOKENS.forget(self._account.credentials)
        return self._open_once()

    def _open_once(self) -> tuple[ImapConversation, SelectedFolder]:
        source = self._account.source
        self._watch.step(RunState.CONNECTING, f"Connecting to {source.host}")
        conversation = ImapConversation(source, self._watchdog)
        try:
            self._watch.step(RunState.CONNECTING, "Logging in")
            log_in(conversation, self._account, self._access_token)
            self._watch.step(RunState.CONNECTING, f"Opening {source.folder}")
            return conversation, select(conversation, source)
        except BaseException:
            conversation.close()
            raise

    def _access_token(self, oauth: OAuth) -> str:
        # httpx only where an account needs it: it takes memory for as long as the daemon lives.
        from daemon.pipelines.mail.oauth import TOKENS

        token = TOKENS.token(self._account, oauth, self._clock, self._watchdog)
        self._conceal(token)
        self._conceal(xoauth2(self._account.source.username, token))
        return token


def select(conversation: ImapConversation, source: MailSource) -> SelectedFolder:
    """Selects the account's folder, for reading only where nothing is to be written.

    Raises `FolderRefused`, `FolderReadOnly`.
    """
    client = conversation.connection
    # Before the folder: servers tell them together with the login, and imaplib then forgets.
    offered = conversation.ask(errors.LoginRefused, client.capabilities)
    if b"ID" in offered:
        _introduce(conversation)
    answer = conversation.ask(
        errors.FolderRefused, lambda: client.select_folder(source.folder, readonly=source.dry_run)
    )
    if not source.dry_run and b"READ-WRITE" not in answer:
        raise errors.FolderReadOnly
    if not answer.get(b"UIDVALIDITY"):
        raise errors.FolderRefused(
            "The mail server keeps no lasting numbers of messages (UIDVALIDITY)"
        )
    return SelectedFolder(answer[b"UIDVALIDITY"], frozenset(offered), _permanent(answer))


def _introduce(conversation: ImapConversation) -> None:
    """Says which program this is (RFC 2971): some providers open no folder to one that does not (163, 126)."""
    client = conversation.connection
    with suppress(errors.ServerRefused, errors.AnswerGarbled):
        conversation.ask(errors.ServerRefused, lambda: client.id_({"name": "triaged"}))


def _permanent(answer: Mapping[bytes, Any]) -> frozenset[str] | None:
    flags = answer.get(b"PERMANENTFLAGS")
    return None if flags is None else frozenset(flag.decode("utf-8", "replace") for flag in flags)
