"""Events as bytes, for another process: what is decoded equals what was encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import msgspec

from daemon.events import AnyEvent, Facts


class EventCodec:
    """Encodes and decodes events whose facts are of known kinds."""

    def __init__(self, facts: Sequence[type[Facts]]) -> None:
        """`facts` are all kinds of facts that an event may carry."""
        self._facts = frozenset(facts)
        self._events = msgspec.json.Decoder(AnyEvent)
        self._carrier = msgspec.json.Decoder(_carrier(facts))

    def encode(self, event: AnyEvent) -> bytes:
        """The event as JSON. Raises `TypeError` for facts of a kind that could not be decoded."""
        facts = getattr(event, "facts", None)
        if facts is not None and type(facts) not in self._facts:
            raise TypeError(f"no ledger takes {type(facts).__name__}")
        return msgspec.json.encode(event)

    def decode(self, data: bytes) -> AnyEvent:
        """The event that `encode` wrote. Raises `msgspec.DecodeError` for anything else."""
        event: AnyEvent = self._events.decode(data)
        if getattr(event, "facts", None) is None:
            return event
        # Read once more, by kind: an event itself knows no kind of facts.
        return msgspec.structs.replace(event, facts=self._carrier.decode(data).facts)


def _carrier(facts: Sequence[type[Facts]]) -> type[Any]:
    """A record that reads of an event nothing but its facts."""
    return msgspec.defstruct("Carrier", [("facts", Union[(*facts, None)])])
