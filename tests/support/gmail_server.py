"""Gmail's extension (X-GM-EXT-1) as its documentation describes it, for no server at hand has it.

It knows the exact bytes of the commands that triaged sends, and takes no other.
"""

from __future__ import annotations

import re

from tests.support.scripted_imap import ScriptedServer

_SEARCH = re.compile(rb'UID SEARCH X-GM-RAW "after:(\d+)"')
_FETCH = re.compile(
    rb"UID FETCH ([\d,]+) \(INTERNALDATE RFC822\.SIZE FLAGS X-GM-MSGID X-GM-LABELS "
    rb"BODY\.PEEK\[HEADER\.FIELDS \([A-Z -]+\)\]<0\.65536>\)"
)
_LONG = re.compile(
    rb"UID FETCH ([\d,]+) \(BODY\.PEEK\[HEADER\.FIELDS \(TO CC REFERENCES\)\]<0\.65536>\)"
)
_LABELS = re.compile(rb"UID FETCH ([\d,]+) \(X-GM-LABELS\)")
_STORE = re.compile(rb'UID STORE ([\d,]+) \+X-GM-LABELS \("((?:[^"\\]|\\.)*)"\)')
_HEADERS = b"From: ann@example.com\r\nSubject: Hello\r\n\r\n"


class GmailServer(ScriptedServer):
    """Messages by UID with their labels, as they go over the line."""

    def __init__(self, *uids: int) -> None:
        capability = b"IMAP4rev1 UNSELECT IDLE X-GM-EXT-1 UIDPLUS CONDSTORE MOVE AUTH=XOAUTH2"
        super().__init__(
            {
                b"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2\r\nTAG OK done\r\n",
                b"LOGIN": b"* CAPABILITY " + capability + b"\r\nTAG OK authenticated (Success)\r\n",
                b"UID SEARCH": self._search,
                b"UID FETCH": self._fetch,
                b"UID STORE": self._store,
            }
        )
        self.labels: dict[int, set[bytes]] = {uid: {b'"\\\\Inbox"'} for uid in uids}
        self.ignores_labels = False
        self.silent = False
        """Whether it answers STORE with OK and nothing else."""

    def _search(self, command: bytes) -> bytes:
        if not _SEARCH.fullmatch(command):
            return self._refused(command)
        return b"* SEARCH " + b" ".join(b"%d" % uid for uid in self.labels) + b"\r\nTAG OK done\r\n"

    def _fetch(self, command: bytes) -> bytes:
        if match := _LABELS.fullmatch(command):
            return self._told(match[1])
        if match := _LONG.fullmatch(command):
            line = b"* %d FETCH (UID %d BODY[HEADER.FIELDS (TO CC REFERENCES)]<0> {2}\r\n\r\n)\r\n"
            told = [line % (n, uid) for n, uid in enumerate(self._present(match[1]), 1)]
            return b"".join(told) + b"TAG OK Success\r\n"
        match = _FETCH.fullmatch(command)
        if not match:
            return self._refused(command)
        lines = [
            b"* %d FETCH (X-GM-MSGID %d X-GM-LABELS (%s) UID %d RFC822.SIZE 120 "
            b'INTERNALDATE "22-Nov-2026 10:00:00 +0000" FLAGS () BODY[HEADER.FIELDS (FROM)]<0> {%d}\r\n%s)\r\n'
            % (n, 1278455344230334865 + uid, self._line(uid), uid, len(_HEADERS), _HEADERS)
            for n, uid in enumerate(self._present(match[1]), 1)
        ]
        return b"".join(lines) + b"TAG OK Success\r\n"

    def _store(self, command: bytes) -> bytes:
        match = _STORE.fullmatch(command)
        if not match:
            return self._refused(command)
        if not self.ignores_labels:
            for uid in self._present(match[1]):
                self.labels[uid].add(b'"' + match[2] + b'"' if b" " in match[2] else match[2])
        return b"TAG OK Success\r\n" if self.silent else self._told(match[1])

    def _told(self, uids: bytes) -> bytes:
        lines = [
            b"* %d FETCH (X-GM-LABELS (%s) UID %d)\r\n" % (n, self._line(uid), uid)
            for n, uid in enumerate(self._present(uids), 1)
        ]
        return b"".join(lines) + b"TAG OK Success\r\n"

    def _line(self, uid: int) -> bytes:
        return b" ".join(sorted(self.labels[uid]))

    def _present(self, uids: bytes) -> list[int]:
        return [uid for uid in map(int, uids.split(b",")) if uid in self.labels]

    def _refused(self, command: bytes) -> bytes:
        self.unexpected.append(command)
        return b"TAG BAD Could not parse command\r\n"
