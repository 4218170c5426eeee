"""Events are frozen records that cross a process boundary as JSON without loss."""

from __future__ import annotations

import enum
import types
import typing
from datetime import UTC, datetime
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import events
from daemon.clock import FakeClock, SystemClock
from daemon.event_codec import EventCodec
from daemon.pipelines.kinds import KINDS
from daemon.store.ledger import Ledgers

EVENTS: tuple[type[events.Event], ...] = get_args(events.AnyEvent)
FACTS = Ledgers.named(KINDS.ledgers).facts
CODEC = EventCodec(FACTS)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(), max_size=20),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=20),
    datetime: st.datetimes(timezones=st.just(UTC)),
    type(None): st.none(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of an annotated type."""
    if kind in PLAIN:
        return PLAIN[kind]
    if kind is events.Facts:
        return st.one_of([values(one) for one in FACTS])
    if get_origin(kind) in (types.UnionType, typing.Union):
        return st.one_of([values(one) for one in get_args(kind)])
    if get_origin(kind) is tuple:
        return st.lists(values(get_args(kind)[0]), max_size=3).map(tuple)
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    fields = {field.name: values(field.type) for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **fields)


any_event = st.one_of([values(kind) for kind in EVENTS])


@given(event=any_event)
def test_an_event_comes_back_from_another_process_as_it_was(event: events.AnyEvent) -> None:
    assert CODEC.decode(CODEC.encode(event)) == event


@given(event=any_event)
def test_an_event_cannot_be_changed(event: events.AnyEvent) -> None:
    for name in event.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(event, name, None)


def test_every_kind_of_event_and_of_facts_has_a_name_of_its_own() -> None:
    names = [kind.__struct_config__.tag for kind in (*EVENTS, *FACTS)]
    assert len(set(names)) == len(names)
    assert all(isinstance(name, str) and name.islower() for name in names)


def test_what_is_no_event_is_refused() -> None:
    for data in (b"{}", b'{"event": "nonsense"}', b'{"event": "run_started"}', b"not json"):
        with pytest.raises(msgspec.DecodeError):
            CODEC.decode(data)


class UnknownFacts(events.Facts, frozen=True, kw_only=True, tag="unknown"):
    """Facts of a pipeline that this process does not have."""


def test_facts_of_a_kind_that_is_not_known_never_become_none() -> None:
    event = events.ItemSucceeded(
        at=datetime(2026, 11, 20, tzinfo=UTC),
        run_id="run",
        pipeline="own",
        source="own",
        item="a",
        facts=UnknownFacts(),
    )
    with pytest.raises(TypeError, match="UnknownFacts"):
        CODEC.encode(event)
    with pytest.raises(msgspec.DecodeError):
        CODEC.decode(EventCodec([*FACTS, UnknownFacts]).encode(event))


def test_the_clocks_tell_utc_and_never_run_backwards() -> None:
    system, fake = SystemClock(), FakeClock()
    for clock in (system, fake):
        before, now = clock.monotonic(), clock.now()
        assert now.utcoffset() is not None
        assert now.utcoffset() == UTC.utcoffset(None)
        assert clock.monotonic() >= before
    fake.advance(1.5)
    assert fake.monotonic() == 1.5
    assert (fake.now() - FakeClock().now()).total_seconds() == 1.5
