"""Events as bytes, for another process: what is decoded equals what was encoded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Union

import msgspec

from daemon.events import AnyEvent, Facts


def as_json(record: Any) -> bytes:
    """A record as JSON.

    Text that is no UTF-8, as names of files may be, holds lone surrogates: they are escaped.
    """
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(record)).encode()


class EventCodec:
    """Encodes and decodes events whose facts are of known kinds."""

    def __init__(self, facts: Sequence[type[Facts]]) -> None:
        """`facts` are all kinds of facts that an event may carry."""
        self._facts = frozenset(facts)
        self._events = msgspec.json.Decoder(AnyEvent)
        self._carrier = _carrier(facts)
        self._carried = msgspec.json.Decoder(self._carrier)

    def encode(self, event: AnyEvent) -> bytes:
        """The event as JSON. Raises `TypeError` for facts of a kind that could not be decoded."""
        facts = getattr(event, "facts", None)
        if facts is not None and type(facts) not in self._facts:
            raise TypeError(f"no ledger takes {type(facts).__name__}")
        return as_json(event)

    def decode(self, data: bytes) -> AnyEvent:
        """The event that `encode` wrote. Raises `msgspec.DecodeError` for anything else."""
        try:
            event: AnyEvent = self._events.decode(data)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError as error:
            return self._with_surrogates(data, error)
        if getattr(event, "facts", None) is None:
            return event
        # Read once more, by kind: an event itself knows no kind of facts.
        return msgspec.structs.replace(event, facts=self._carried.decode(data).facts)

    def _with_surrogates(self, data: bytes, error: msgspec.DecodeError) -> AnyEvent:
        """The event in JSON that msgspec does not read, which may be for the sake of its text."""
        try:
            found = json.loads(data)
        except ValueError:
            raise error from None
        event: AnyEvent = msgspec.convert(found, AnyEvent)
        if getattr(event, "facts", None) is None:
            return event
        return msgspec.structs.replace(event, facts=msgspec.convert(found, self._carrier).facts)


def _carrier(facts: Sequence[type[Facts]]) -> type[Any]:
    """A record that reads of an event nothing but its facts."""
    return msgspec.defstruct("Carrier", [("facts", Union[(*facts, None)])])
