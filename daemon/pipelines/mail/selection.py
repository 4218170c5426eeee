"""Which messages of an account a run processes: those of its window that are new."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from daemon.pipelines.contract import RunHandle
from daemon.pipelines.mail.categories import CategoryChoice
from daemon.pipelines.mail.config import MailSource
from daemon.pipelines.mail.known import KnownMessages
from daemon.pipelines.mail.message import FetchedMessage, Identity
from daemon.pipelines.mail.ports import Mailbox
from daemon.pipelines.mail.window import gaps_of


class Known(NamedTuple):
    """UIDs of a folder that nothing has to be done about, as far as they are still found."""

    outdated: dict[int, datetime]
    """When those were received that were too old. A server that searches by whole days lists them in each cycle."""
    done: set[int]
    """Done by this process. A store that cannot be written does not know of it yet."""

    decided: dict[int, CategoryChoice]
    """Decided about, but not written yet: deciding may take long, or cost something."""

    def forget_all_but(self, found: Collection[int]) -> None:
        """Of what the folder does not list any more nothing has to be known."""
        for uid in self.outdated.keys() - set(found):
            del self.outdated[uid]
        self.done.intersection_update(found)
        for uid in self.decided.keys() - set(found):
            del self.decided[uid]


class Knowledge:
    """What is known of each source from the cycles before, for as long as the process lives."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[MailSource, int, Known]] = {}

    def of(self, name: str, source: MailSource, uidvalidity: int) -> Known:
        """To be added to. With other settings or another UIDVALIDITY it starts anew."""
        known = self._known.get(name)
        if known is None or known[:2] != (source, uidvalidity):
            known = self._known[name] = (source, uidvalidity, Known({}, set(), {}))
        return known[2]


class Selection:
    """Chooses for one run; what it leaves out because nothing is to be done counts as skipped."""

    def __init__(
        self,
        run: RunHandle,
        source: MailSource,
        mailbox: Mailbox,
        before: KnownMessages,
        known: Known,
        since: datetime,
    ) -> None:
        """`since` is when the window begins."""
        self._run = run
        self._folder = source.folder
        self._mailbox = mailbox
        self._before = before
        self._known = known
        self._since = since
        self._gaps = gaps_of(run.wanted)

    def uids(self) -> list[int]:
        """What has to be fetched. Raises what `Mailbox` does."""
        wanted = self._wanted()
        if self._gaps:
            return sorted({*wanted, *self._new_since(min(gap.start for gap in self._gaps))})
        return wanted or self._new_since(self._since)

    def _new_since(self, since: datetime) -> list[int]:
        found = self._mailbox.search(since)
        self._known.forget_all_but(found)
        outdated = self._known.outdated
        recent = [uid for uid in found if uid not in outdated or outdated[uid] >= since]
        done = set(self._known.done)
        places = list(map(self.identity, recent))
        passed = self._before.done(places)
        if self._run.wanted is None:
            # What spoils a connection is not asked for before it is due.
            passed |= self._before.set_aside(places)
        done.update(place.uid for place in passed)
        self._skip(done)
        return [uid for uid in recent if uid not in done]

    def _wanted(self) -> list[int]:
        """The UIDs in the names of items asked for; such messages may be older than the last hours."""
        beginning = f"{self._folder}/{self._mailbox.uidvalidity}/"
        ends = (
            item.removeprefix(beginning)
            for item in self._run.wanted or ()
            if item.startswith(beginning)
        )
        return sorted(
            int(end) for end in ends if end.isascii() and end.isdigit() and len(end) <= 10
        )

    def identity(self, uid: int, gm_msgid: int | None = None) -> Identity:
        """What stays the same of a message of the folder."""
        return Identity(self._folder, self._mailbox.uidvalidity, uid, gm_msgid)

    def new(self, messages: Iterable[FetchedMessage]) -> dict[Identity, FetchedMessage]:
        """Those of a chunk that are to be processed."""
        fetched = {self.identity(m.uid, m.gm_msgid): m for m in messages}
        asked_for = {i: m for i, m in fetched.items() if self._is_asked_for(i, m)}
        left = self.to_do(asked_for)
        return {i: m for i, m in asked_for.items() if i in left}

    def _is_asked_for(self, identity: Identity, message: FetchedMessage) -> bool:
        if self._run.wanted is not None:
            in_gap = any(message.received in gap for gap in self._gaps)
            return in_gap or identity.item in self._run.wanted
        if message.received < self._since:
            self._known.outdated[message.uid] = message.received
            return False
        return True

    def to_do(self, identities: Collection[Identity]) -> set[Identity]:
        """Those that are not done, and did not fail in a way that another attempt cannot help yet."""
        asked = list(identities)
        passed = self._before.done(asked)
        passed |= {identity for identity in asked if identity.uid in self._known.done}
        if self._run.wanted is None:
            passed |= self._before.set_aside(asked)
        self._skip(passed)
        return set(asked) - passed

    def confirm(self, identity: Identity) -> None:
        """It is done: the server has its label."""
        self._known.done.add(identity.uid)
        self.forget(identity)

    def remember(self, identity: Identity, decision: CategoryChoice) -> None:
        """It is decided about, and will be written."""
        self._known.decided[identity.uid] = decision

    def decided(self, identity: Identity) -> CategoryChoice | None:
        """What was decided about it before and could not be written."""
        return self._known.decided.get(identity.uid)

    def forget(self, identity: Identity) -> None:
        """What was decided about it is of no use any more."""
        self._known.decided.pop(identity.uid, None)

    def _skip(self, passed: Collection[object]) -> None:
        if passed and self._run.wanted is None:
            self._run.skip(count=len(passed))
