"""Each description of a message is taken apart by itself, whatever a server puts into one of them."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.pipelines.mail.descriptions import descriptions

GOOD = [(b"1 (UID 11 FLAGS (\\Seen) BODY[HEADER.FIELDS (FROM)] {4}", b"F:x\n"), b")"]


def uids(data: list[Any]) -> tuple[set[int], set[int]]:
    described, garbled = descriptions(data)
    return set(described), garbled


def test_what_is_said_of_one_message_in_several_answers_is_one_description() -> None:
    described, _ = descriptions([b"1 (UID 11 FLAGS (a))", *GOOD, b"1 (UID 11 FLAGS (b))"])
    assert described[11][b"FLAGS"] == (b"b",)
    assert described[11][b"BODY[HEADER.FIELDS (FROM)]"] == b"F:x\n"


def test_an_answer_without_a_uid_counts_for_nothing() -> None:
    """The number before it counts messages in the folder, and may be the UID of another one."""
    assert uids([b"11 (FLAGS (newsletter))"]) == (set(), set())
    described, _ = descriptions([b"11 (FLAGS (newsletter))", *GOOD])
    assert described[11][b"FLAGS"] == (b"\\Seen",)


@pytest.mark.parametrize(
    ("odd", "garbled"),
    [
        ([b"2 (UID 12 FLAGS (odd[one))"], {12}),
        ([b"2 (UID 12 FLAGS"], {12}),
        ([b"2 (UID 12 FLAGS () X)"], {12}),
        ([b"2 UID 12"], {12}),
        ([b"2"], set()),
        ([b"2 NIL"], set()),
        ([b"2 (UID NIL FLAGS ())"], set()),
        ([b"2 (NIL 3 UID 12)"], {12}),
        ([b'2 (UID 12 INTERNALDATE "no date)'], {12}),
        ([b"2 (UID 12 FLAGS " + b"(" * 100_000 + b")"], {12}),
        ([(b"2 (UID 12 BODY[] {3}", b"abc"), b" what is left of a longer one"], {12}),
        ([(b"2 (UID 12 BODY[] no length", b"abc"), b")"], {12}),
    ],
)
def test_one_that_cannot_be_read_spoils_no_other(odd: list[Any], garbled: set[int]) -> None:
    described, told = uids([*GOOD, *odd, b"3 (UID 13 FLAGS ())"])
    assert described - {12} == {11, 13}
    assert told == garbled
