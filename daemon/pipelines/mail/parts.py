"""Asks a mailbox about messages in ever smaller parts, so that one which spoils the answer stands alone.

The server refuses a command because of one message, or what it says of that one breaks the connection:
the others are still to be had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from daemon.pipelines.mail import errors
from daemon.pipelines.mail.ports import Mailbox

T = TypeVar("T")
_A_FEW = 3
"""When more messages than these are spoiled and none is well, it is the account's fault and not theirs."""


class SpoiledMessages(dict[int, Exception]):
    """What is wrong with single messages, by UID."""


def in_parts(
    mailbox: Mailbox, uids: Sequence[int], ask: Callable[[Sequence[int]], T]
) -> Iterator[T | SpoiledMessages]:
    """The answers to all parts as they come, and at last what is wrong with single messages.

    Raises what is wrong with the account.
    """
    waiting: list[Sequence[int]] = [uids]
    faults: dict[int, Exception] = {}
    well = 0
    try:
        while waiting:
            part = waiting.pop()
            answer, fault = _attempt(mailbox, part, ask)
            if fault is None:
                well += 1
                yield answer  # type: ignore[misc]  # there is one where there is no fault
            elif len(part) > 1:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
            else:
                faults[part[0]] = fault
    except Exception:
        if faults and well:
            yield _spoiled(faults)
        raise
    if len(faults) > _A_FEW and not well:
        raise next(iter(faults.values()))
    if faults:
        yield _spoiled(faults)


def _attempt(
    mailbox: Mailbox, part: Sequence[int], ask: Callable[[Sequence[int]], T]
) -> tuple[T | None, Exception | None]:
    """The answer, or what may be the fault of one message of the part."""
    # A connection may break by chance: a single message is asked for again before it is blamed.
    attempts_left = 2 if len(part) == 1 else 1
    while True:
        attempts_left -= 1
        try:
            return ask(part), None
        except (errors.RunCancelled, errors.DeadlinePassed, errors.AccessTokenExpired):
            raise
        except errors.ServerRefused as refused:
            if refused.concerns_account:
                raise
            return None, refused
        except errors.AnswerGarbled as garbled:
            return None, garbled
        except (errors.ConnectionLost, OSError) as broken:
            mailbox.reconnect(broken)
            if not attempts_left:
                return None, broken


def _spoiled(faults: dict[int, Exception]) -> SpoiledMessages:
    return SpoiledMessages((uid, _of_message(fault)) for uid, fault in faults.items())


def _of_message(fault: Exception) -> Exception:
    if isinstance(fault, errors.ServerRefused):
        return errors.MessageRefused(str(fault), imap_code=fault.imap_code)
    if isinstance(fault, errors.AnswerGarbled):
        return fault
    text = errors.in_words(errors.MessageBreaksConnection, str(fault))
    return errors.MessageBreaksConnection(text)
