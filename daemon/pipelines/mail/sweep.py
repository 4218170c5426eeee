"""One run over one account: chunk by chunk its new messages are fetched, categorised and labelled."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence

from daemon.clock import Clock
from daemon.pipelines.contract import RunHandle
from daemon.pipelines.mail.categories import CategoryChoice
from daemon.pipelines.mail.categoriser import CategorySession
from daemon.pipelines.mail.config import MailSource
from daemon.pipelines.mail.dry_run import Tally
from daemon.pipelines.mail.facts import MessageFacts
from daemon.pipelines.mail.message import Fetched, FetchedMessage, Identity
from daemon.pipelines.mail.model import ModelPaused
from daemon.pipelines.mail.parts import SpoiledMessages, in_parts
from daemon.pipelines.mail.ports import Mailbox
from daemon.pipelines.mail.selection import Selection
from daemon.taxonomy import RunState

_LOG = logging.getLogger("triaged.mail")

STEP_SECONDS = 1.0
"""After so long what is decided is written, before the server hangs up on who is silent or the deadline passes."""
Decided = tuple[Identity, FetchedMessage, CategoryChoice]


class MailboxSweep:
    """The messages of one run. One that fails never stops the others."""

    def __init__(
        self,
        run: RunHandle,
        source: MailSource,
        mailbox: Mailbox,
        selection: Selection,
        session: CategorySession,
        mailbox_id: str,
        clock: Clock,
    ) -> None:
        """`mailbox_id` is what messages that are done are stored with."""
        self._run = run
        self._source = source
        self._mailbox = mailbox
        self._selection = selection
        self._session = session
        self._mailbox_id = mailbox_id
        self._clock = clock
        self._tally = Tally()
        self.saw_all = True
        """Whether no message was left for the next run."""
        self._at = self._total = 0

    def run(self, chunk: int) -> None:
        """Processes what is new, `chunk` messages at a time. Raises what `Mailbox` does."""
        uids = self._selection.uids()
        total = len(uids)
        if not uids:
            self._run.step(RunState.FETCHING, "There are no new messages")
        self._total = total
        for start in range(0, total, chunk):
            if self._run.cancelled:
                self.saw_all = False
                return
            end = min(start + chunk, total)
            self._run.step(RunState.FETCHING, f"Fetching {end:,} of {total:,} headers")
            self._at = start
            self._run.progress(start, total)
            for fetched in in_parts(self._mailbox, uids[start:end], self._mailbox.fetch):
                if isinstance(fetched, SpoiledMessages):
                    self._fail_unreadable(fetched)
                else:
                    self._process(fetched)
            self._run.progress(end, total)
        for line in self._tally.lines():
            self._run.step(RunState.LABELING, line)

    def _process(self, fetched: Fetched) -> None:
        self._fail_unreadable(fetched.unreadable)
        for uid in fetched.gone:
            self._run.skip(self._selection.identity(uid).item, gone=True)
        waiting = deque(self._selection.new(fetched.messages).items())
        self._keep(self._remembered(waiting))
        while waiting and not self._run.cancelled:
            self._run.step(RunState.CATEGORIZING, f"Categorizing {_messages(len(waiting))}")
            self._keep(self._decided_in_time(waiting))
        if waiting:
            self.saw_all = False

    def _remembered(self, waiting: deque[tuple[Identity, FetchedMessage]]) -> list[Decided]:
        """Takes those that a run decided about which could not write it down any more."""
        decided: list[Decided] = []
        for _ in range(len(waiting)):
            identity, message = waiting.popleft()
            decision = self._selection.decided(identity)
            if decision is None:
                waiting.append((identity, message))
            else:
                decided.append((identity, message, decision))
        return decided

    def _decided_in_time(self, waiting: deque[tuple[Identity, FetchedMessage]]) -> list[Decided]:
        """Takes as many as are decided within `STEP_SECONDS`."""
        decided: list[Decided] = []
        end = self._clock.monotonic() + STEP_SECONDS
        while waiting and not self._run.cancelled:
            identity, message = waiting.popleft()
            self._run.progress(self._at, self._total)
            self._at += 1
            decision = self._decide(identity.item, message)
            if decision is not None:
                decided.append((identity, message, decision))
            if self._clock.monotonic() >= end:
                break
        return decided

    def _keep(self, decided: Sequence[Decided]) -> None:
        """Nothing is decided twice because the server hangs up or the deadline passes before it is written."""
        if self._source.dry_run:
            self._only_count(decided)
            return
        for identity, _, decision in decided:
            self._selection.remember(identity, decision)
        self._label(decided)

    def _fail_unreadable(self, unreadable: Mapping[int, Exception]) -> None:
        errors = {self._selection.identity(uid): error for uid, error in unreadable.items()}
        for identity in self._selection.to_do(errors) if errors else ():
            self._run.fail(identity.item, errors[identity])

    def _decide(self, item: str, message: FetchedMessage) -> CategoryChoice | None:
        """What the message is; None when that failed, or has to wait for the next run."""
        try:
            decision = self._session.decide(message)
        except ModelPaused:
            self.saw_all = False
            self._run.skip(item)
            return None
        except BaseException as error:  # noqa: BLE001 (whatever is raised, one message never fails a mailbox)
            self._run.fail(item, error)
            return None
        self._log(item, decision)
        return decision

    def _log(self, item: str, decision: CategoryChoice) -> None:
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

    def _only_count(self, decided: Sequence[Decided]) -> None:
        """A dry run leaves no trace: a later run without it finds every message new."""
        for _, _, decision in decided:
            self._tally.add(decision)
        if decided:
            self._run.skip(count=len(decided))

    def _label(self, decided: Sequence[Decided]) -> None:
        groups: dict[str, list[Decided]] = {}
        for one in decided:
            identity, message, decision = one
            if decision.label is None:
                self._done(identity, message, decision)
            else:
                groups.setdefault(decision.label, []).append(one)
        if groups:
            labelled = sum(map(len, groups.values()))
            self._run.step(RunState.LABELING, f"Labeling {_messages(labelled)}")
        for label, group in groups.items():
            self._write(label, group)

    def _write(self, label: str, group: Sequence[Decided]) -> None:
        """Adds the label; done is what the server confirmed."""
        by_uid = {one[1].uid: one for one in group}

        def write(uids: Sequence[int]) -> dict[int, Exception | None]:
            results = self._mailbox.label(uids, label)
            for uid in uids:
                if uid not in results:
                    self._run.skip(by_uid[uid][0].item, gone=True)
            return dict(results)

        for results in in_parts(self._mailbox, list(by_uid), write):
            for uid, error in results.items():
                identity, message, decision = by_uid[uid]
                if error is not None:
                    self._selection.forget(identity)
                    self._run.fail(identity.item, error)
                else:
                    self._done(identity, message, decision)

    def _done(self, identity: Identity, message: FetchedMessage, decision: CategoryChoice) -> None:
        self._selection.confirm(identity)
        self._run.succeed(
            identity.item,
            facts=MessageFacts(
                folder=identity.folder,
                uidvalidity=identity.uidvalidity,
                uid=identity.uid,
                gm_msgid=identity.gm_msgid,
                received=message.received,
                category=decision.category,
                rule=decision.rule,
                label=decision.label,
                mailbox=self._mailbox_id,
            ),
        )


def _messages(n: int) -> str:
    return "1 message" if n == 1 else f"{n:,} messages"
