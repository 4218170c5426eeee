"""How often somebody may ask."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.access.rate_limit import (
    BURST_SECONDS,
    MOST_BUCKETS,
    Bucket,
    RateLimit,
    Remembered,
    client_of,
)


@given(st.integers(1, 10_000), st.lists(st.floats(0, 30), max_size=200))
def test_nobody_ever_gets_more_than_a_burst_and_what_time_adds(
    per_minute: int, pauses: list[float]
) -> None:
    limit, now, taken = RateLimit(per_minute), 0.0, 0
    for pause in [0.0, *pauses]:
        now += pause
        for _ in range(20):
            taken += limit.take("ann", now) == 0
    most = max(1.0, per_minute / 60 * BURST_SECONDS) + per_minute / 60 * now
    assert 1 <= taken <= most + 0.001


@given(st.integers(1, 10_000))
def test_who_waits_as_long_as_told_is_let_through(per_minute: int) -> None:
    limit, now = RateLimit(per_minute), 0.0
    while not (wait := limit.take("ann", now)):
        pass
    assert limit.wait("ann", now) == wait
    assert limit.take("ann", now + wait + 0.001) == 0


@given(pauses=st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_who_takes_in_advance_waits_so_long_that_burst_and_rate_are_kept(
    pauses: list[float],
) -> None:
    bucket, now = Bucket(20, 5, 0.0), 0.0
    for number, pause in enumerate(pauses, 1):
        now += pause
        now += bucket.take(now)
        assert number <= 20 + now * 5 + 1e-6


def test_each_has_an_allowance_of_its_own() -> None:
    limit = RateLimit(6)
    assert limit.take("ann", 0) == 0
    assert limit.take("ann", 0) == pytest.approx(10)
    assert limit.take("bob", 0) == 0


def test_zero_is_no_limit() -> None:
    limit = RateLimit(0)
    assert not any(limit.take("ann", 0) for _ in range(1000))


def test_memory_is_bounded() -> None:
    limit, seen = RateLimit(60), Remembered()
    for number in range(MOST_BUCKETS + 5):
        limit.take(str(number), 0)
        seen.add(number)
    assert len(limit._buckets) == len(seen._entries) == MOST_BUCKETS
    assert 4 not in seen
    assert 5 in seen


def test_a_client_is_its_ipv4_address_or_its_ipv6_network() -> None:
    assert client_of("192.0.2.1") == client_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:2") != client_of("2001:db8:0:1::1")
    assert client_of("fe80::1%eth0") == client_of("fe80::2")
    assert client_of("testclient") == "testclient"
