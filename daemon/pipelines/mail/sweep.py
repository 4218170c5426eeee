"""One run over one account: chunk by chunk its new messages are fetched, categorised and labelled."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from daemon.clock import Clock
from daemon.config.schema import MailSource
from daemon.events import MessageFacts
from daemon.pipelines.contract import RunHandle
from daemon.pipelines.mail.categories import Decision
from daemon.pipelines.mail.categoriser import Session
from daemon.pipelines.mail.dry_run import Tally
from daemon.pipelines.mail.message import Identity, Message
from daemon.pipelines.mail.model import ModelPaused
from daemon.pipelines.mail.ports import Mailbox, MessageIndex
from daemon.triage.taxonomy import RunState

_LOG = logging.getLogger("triaged.mail")
_LOOKED_UP = 1000
"""UIDs whose messages are looked up in the index at a time."""

Decided = tuple[Message, Decision]


class Sweep:
    """The messages of one run. One that fails never stops the others."""

    def __init__(
        self,
        run: RunHandle,
        source: MailSource,
        mailbox: Mailbox,
        index: MessageIndex,
        session: Session,
        clock: Clock,
    ) -> None:
        self._run = run
        self._source = source
        self._mailbox = mailbox
        self._index = index
        self._session = session
        self._since = clock.now() - timedelta(hours=source.hours)
        self._tally = Tally()

    def run(self, chunk: int) -> None:
        """Processes what is new, `chunk` messages at a time. Raises what `Mailbox` does."""
        self._run.step(RunState.FETCHING, f"Looking for messages of the last {self._hours}")
        uids = self._uids()
        total = len(uids)
        if not uids:
            self._run.step(RunState.FETCHING, "There are no new messages")
        for start in range(0, total, chunk):
            if self._run.cancelled:
                return
            end = min(start + chunk, total)
            self._run.step(RunState.FETCHING, f"Fetching {end:,} of {total:,} headers")
            self._run.progress(start, total)
            self._process(self._mailbox.fetch(uids[start:end]), start, total)
            self._run.progress(end, total)
        if self._source.dry_run:
            for line in self._tally.lines():
                self._run.step(RunState.LABELING, line)

    @property
    def _hours(self) -> str:
        hours = self._source.hours
        return "hour" if hours == 1 else f"{hours:,} hours"

    def _uids(self) -> list[int]:
        """What has to be fetched; messages that are done are skipped without it."""
        if wanted := self._wanted_uids():
            return wanted
        found = self._mailbox.search(self._since)
        known: set[int] = set()
        for start in range(0, len(found), _LOOKED_UP):
            identities = [self._place(uid) for uid in found[start : start + _LOOKED_UP]]
            known.update(i.uid for i in self._index.done(self._run.source, identities))
        if known and self._run.wanted is None:
            self._run.skip(count=len(known))
        return [uid for uid in found if uid not in known]

    def _wanted_uids(self) -> list[int]:
        """The UIDs that items asked for by name hold; such messages may be older than the last hours."""
        beginning = f"{self._source.folder}/{self._mailbox.uidvalidity}/"
        ends = (
            item.removeprefix(beginning)
            for item in self._run.wanted or ()
            if item.startswith(beginning)
        )
        return sorted(
            int(end) for end in ends if end.isascii() and end.isdigit() and len(end) <= 10
        )

    def _process(self, messages: Sequence[Message], start: int, total: int) -> None:
        new = self._to_do(messages)
        if not new:
            return
        self._run.step(RunState.CATEGORIZING, f"Categorizing {_messages(len(new))}")
        decided: list[Decided] = []
        for number, message in enumerate(new):
            if self._run.cancelled:
                return
            self._run.progress(start + number, total)
            if (decision := self._decide(message)) is not None:
                decided.append((message, decision))
        if self._source.dry_run:
            self._only_count(decided)
        else:
            self._label(decided)

    def _to_do(self, messages: Sequence[Message]) -> list[Message]:
        """Those of a chunk that are new, or wanted, or due for another attempt."""
        found = {self._identity(message): message for message in messages}
        chosen = {i: message for i, message in found.items() if self._is_asked_for(i, message)}
        identities = list(chosen)
        passed = self._index.done(self._run.source, identities)
        if self._run.wanted is None:
            passed |= self._index.set_aside(self._run.source, identities)
        if passed:
            self._run.skip(count=len(passed))
        return [message for identity, message in chosen.items() if identity not in passed]

    def _is_asked_for(self, identity: Identity, message: Message) -> bool:
        if self._run.wanted is not None:
            return identity.item in self._run.wanted
        return message.received >= self._since

    def _decide(self, message: Message) -> Decision | None:
        """What the message is; None when that failed, or has to wait for the next run."""
        item = self._identity(message).item
        try:
            decision = self._session.decide(message)
        except ModelPaused:
            self._run.skip(item)
            return None
        except (Exception, SystemExit) as error:  # noqa: BLE001 (one message never fails a mailbox)
            self._run.fail(item, error)
            return None
        _LOG.debug(
            "message categorised",
            extra={
                "event": "message_categorised",
                "run_id": self._run.run_id,
                "source": self._run.source,
                "item": item,
                "category": decision.category,
                "rule": decision.rule,
            },
        )
        return decision

    def _only_count(self, decided: Sequence[Decided]) -> None:
        """A dry run leaves no trace: a later run without it finds every message new."""
        for _, decision in decided:
            self._tally.add(decision)
        if decided:
            self._run.skip(count=len(decided))

    def _label(self, decided: Sequence[Decided]) -> None:
        groups: dict[str, list[Decided]] = {}
        for message, decision in decided:
            if decision.label is None:
                self._done(message, decision)
            else:
                groups.setdefault(decision.label, []).append((message, decision))
        if groups:
            labelled = sum(map(len, groups.values()))
            self._run.step(RunState.LABELING, f"Labeling {_messages(labelled)}")
        for label, group in groups.items():
            self._write(label, group)

    def _write(self, label: str, group: Sequence[Decided]) -> None:
        """Adds the label; done is what the server confirmed."""
        results = self._mailbox.label([message.uid for message, _ in group], label)
        for message, decision in group:
            item = self._identity(message).item
            if message.uid not in results:
                self._run.skip(item)  # gone meanwhile
            elif (error := results[message.uid]) is not None:
                self._run.fail(item, error)
            else:
                self._done(message, decision)

    def _done(self, message: Message, decision: Decision) -> None:
        identity = self._identity(message)
        self._run.succeed(
            identity.item,
            message=MessageFacts(
                folder=identity.folder,
                uidvalidity=identity.uidvalidity,
                uid=identity.uid,
                gm_msgid=identity.gm_msgid,
                received=message.received,
                category=decision.category,
                rule=decision.rule,
                label=decision.label,
            ),
        )

    def _place(self, uid: int) -> Identity:
        return Identity(self._source.folder, self._mailbox.uidvalidity, uid)

    def _identity(self, message: Message) -> Identity:
        return Identity(
            self._source.folder, self._mailbox.uidvalidity, message.uid, message.gm_msgid
        )


def _messages(n: int) -> str:
    return "1 message" if n == 1 else f"{n:,} messages"
