"""One cause is one group, whatever values it shows; different causes are different groups."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.triage import Triage, describe
from daemon.triage.grouping import FINGERPRINT_VERSION, fingerprint, normalise

TRIAGE = Triage.load()


def group(
    message: str, *, pipeline: str = "ingest", step: str = "processing", column: str | None = None
) -> str:
    return TRIAGE.assess(
        describe(message), pipeline=pipeline, step=step, column=column
    ).failure_group


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("could not convert 'abc' at line 17", "could not convert 'x y' at line 18201"),
        ("cannot open /a/b/c.csv", "cannot open /var/data/2024.csv"),
        ("orders_1.csv is empty", "orders_22.csv is empty"),
        (
            "request 550e8400-e29b-41d4-a716-446655440000 failed",
            "request 123e4567-e89b-12d3-a456-426614174000 failed",
        ),
        ("at 2024-01-01T10:00:00Z it broke", "at 2026-11-30T23:59:59.123+02:00 it broke"),
        ("bad user jane@example.com", "bad user bob@example.org"),
        ("object at 0x7fd0b45ee8d0 lost", "object at 0x1234abcd5678 lost"),
        ("no value\nhint: row 7", "no value\nhint: something else"),
    ],
)
def test_values_do_not_tell_groups_apart(one: str, other: str) -> None:
    assert group(one) == group(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('column "amount" is missing', 'column "price" is missing'),
        ("KeyError: 'amount'", "KeyError: 'price'"),
        ("No module named 'yaml'", "No module named 'numpy'"),
        ("stopped with status 404", "stopped with status 410"),
        ("cannot cast to INT32", "cannot cast to INT64"),
        ("disk full", "connection refused"),
    ],
)
def test_causes_tell_groups_apart(one: str, other: str) -> None:
    assert group(one) != group(other)


def test_pipeline_step_and_column_tell_groups_apart() -> None:
    groups = {
        group("x"),
        group("x", pipeline="mail"),
        group("x", step="writing"),
        group("x", column="a"),
        group("x", column="b"),
    }
    assert len(groups) == 5


def test_duckdb_says_what_is_wrong_after_the_bad_line_itself() -> None:
    text = 'CSV Error on Line: {}\nOriginal Line: {}\nError when converting column "{}". Could not'
    assert normalise(text.format(1, "a,b", "id")) == normalise(text.format(2, "c,d", "id"))
    assert normalise(text.format(1, "a,b", "id")) != normalise(text.format(1, "a,b", "price"))


def test_of_a_traceback_the_last_line_counts() -> None:
    text = 'Traceback (most recent call last):\n  File "x.py", line 3, in f\nValueError: no'
    assert normalise(text) == "ValueError: no"


def test_the_same_group_comes_out_in_every_process() -> None:
    program = "from daemon.triage.grouping import fingerprint; print(fingerprint('a', None, 'ü'))"
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert printed == fingerprint("a", None, "ü")
    assert len(printed) == 16
    assert int(printed, 16) >= 0


PINNED = [
    ("[Errno 111] Connection refused", "e64c1bb045d057d5"),
    ("could not convert 'abc' at line 17", "4e19639cf0280cf4"),
    ("orders_1.csv is empty", "b97c1591d0ef114f"),
    ('column "amount" is missing', "97623aa749bcc8db"),
    ("KeyError: 'amount'", "a4531ea70ba498ec"),
    ("request 550e8400-e29b-41d4-a716-446655440000 failed after 3.5 s", "9e2de3de0fad6a7d"),
    ("535 5.7.8 Authentication failed for ann@example.com", "8d3910bf2d026a9c"),
    ("HTTP 503 from https://api.example.com/v1/items?page=2", "83d5987b09e11c2d"),
    (
        'duplicate key value violates unique constraint "orders_pkey" (id)=(4711)',
        "ee05cc88bbf2bd78",
    ),
    (
        'Traceback (most recent call last):\n  File "x.py", line 3, in f\nValueError: no such day 2026-02-30',
        "ca19b0aa04aa14e2",
    ),
    ("cannot open /var/data/2024/orders.parquet: errno 13", "b2cbf6370e2b35bd"),
    ("CUDA out of memory. Tried to allocate 2.00 GiB", "e186f33ce6a17648"),
    ("frobnicator 7 went sideways at 0x7fd0b45ee8d0", "785b34131232d43f"),
]
"""Messages and their groups by version 1 of the algorithm, without any rule."""


@pytest.mark.parametrize(("message", "pinned"), PINNED)
def test_nobody_changes_the_algorithm_without_noticing(message: str, pinned: str) -> None:
    """Where this fails, groups that people know fall apart: raise `FINGERPRINT_VERSION`, say so in
    the changelog, and pin the new ones."""
    column = "amount" if "amount" in message else None
    without_rules = Triage([])
    assessment = without_rules.assess(
        describe(message), pipeline="ingest", step="processing", column=column
    )
    assert assessment.failure_group == pinned
    assert assessment.fingerprint_version == FINGERPRINT_VERSION == 1


@given(st.text(max_size=5), st.text(max_size=5))
def test_parts_do_not_run_into_each_other(one: str, other: str) -> None:
    if "\x1f" not in one + other and other:
        assert fingerprint(one, other) != fingerprint(one + other, "")


@given(st.text())
def test_a_normalised_message_is_short_and_one_line(text: str) -> None:
    normalised = normalise(text)
    assert len(normalised) <= 400
    assert "\n" not in normalised
