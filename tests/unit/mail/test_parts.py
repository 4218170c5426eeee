"""A message that spoils the answer to a command stands alone in the end, and keeps none of the others back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.clock import FakeClock
from daemon.pipelines.mail import errors
from daemon.pipelines.mail.parts import SpoiledMessages, in_parts
from tests.integration.mail_support import Onlooker
from tests.support.memory_mailbox import Folder, MemoryMailbox

REFUSED = errors.ReadRefused("[SERVERBUG] sorry", imap_code="SERVERBUG")
BROKEN = errors.OutOfStep()


class Asked:
    """Messages some of which spoil the answer; keeps what was asked."""

    def __init__(self, spoiled: set[int], fault: Exception) -> None:
        self.spoiled, self.fault = spoiled, fault
        self.parts: list[list[int]] = []
        self.mailbox = MemoryMailbox(Folder(), Onlooker(), FakeClock())

    def __call__(self, part: Sequence[int]) -> list[int]:
        self.parts.append(list(part))
        if self.spoiled & set(part):
            raise self.fault
        return list(part)

    def of(self, uids: Sequence[int]) -> tuple[list[int], dict[int, Exception]]:
        """Messages that were read, and what is wrong with the others."""
        read: list[int] = []
        wrong: dict[int, Exception] = {}
        for answer in in_parts(self.mailbox, uids, self):
            if isinstance(answer, SpoiledMessages):
                wrong |= answer
            else:
                read += answer
        return read, wrong


@given(
    st.integers(4, 60), st.sets(st.integers(1, 60), max_size=5), st.sampled_from([REFUSED, BROKEN])
)
def test_those_that_spoil_the_answer_are_found_and_all_others_are_read(
    count: int, spoiled: set[int], fault: Exception
) -> None:
    uids = range(1, count + 1)
    spoiled = spoiled & set(uids)
    if len(spoiled) == count:
        spoiled.pop()
    read, wrong = Asked(spoiled, fault).of(uids)
    assert read == [uid for uid in uids if uid not in spoiled]
    assert set(wrong) == spoiled


def test_one_of_a_hundred_takes_few_commands() -> None:
    asked = Asked({37}, BROKEN)
    read, wrong = asked.of(range(1, 101))
    assert len(read) == 99
    assert isinstance(wrong[37], errors.MessageBreaksConnection)
    assert len(asked.parts) < 18
    assert asked.parts.count([37]) == 2  # it may have been chance


def test_a_single_message_is_to_blame_for_itself() -> None:
    read, wrong = Asked({1}, REFUSED).of([1])
    assert read == []
    assert isinstance(wrong[1], errors.MessageRefused)
    assert (str(wrong[1]), wrong[1].imap_code) == ("[SERVERBUG] sorry", "SERVERBUG")


def test_what_is_refused_for_all_messages_is_the_accounts_fault() -> None:
    with pytest.raises(errors.ReadRefused):
        Asked(set(range(1, 9)), REFUSED).of(range(1, 9))


@pytest.mark.parametrize(
    "fault",
    [
        errors.ReadRefused("[OVERQUOTA] bandwidth", imap_code="OVERQUOTA"),
        errors.ReadRefused("Request is throttled", retry_after=92.0),
        errors.DeadlinePassed(),
        errors.RunCancelled(),
    ],
)
def test_what_concerns_the_account_ends_it_at_once(fault: Exception) -> None:
    asked = Asked({3}, fault)
    with pytest.raises(type(fault)):
        asked.of([1, 2, 3, 4])
    assert asked.parts == [[1, 2, 3, 4]]


def test_what_was_found_is_told_also_when_the_connection_cannot_be_had_again() -> None:
    asked = Asked({3, 4}, BROKEN)

    def ask(part: Sequence[int]) -> list[int]:
        if list(part) == [4]:
            asked.mailbox.folder.lost_at = "fetch"  # the server is not there any more
        return asked(part)

    told: list[list[int] | SpoiledMessages] = []
    with pytest.raises(errors.OutOfStep):
        told.extend(in_parts(asked.mailbox, [1, 2, 3, 4], ask))
    assert told[0] == [1, 2]
    assert set(told[1]) == {3}
