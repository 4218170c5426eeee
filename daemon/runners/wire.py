"""What the daemon and a worker process say to each other.

The daemon trusts itself: orders are pickled, so that options keep their types. What a worker says is JSON of
known records, one a frame; in front stand its kind and a number, by which what comes twice is known.
"""

from __future__ import annotations

import struct
from typing import Literal

import msgspec

from daemon.pipelines.contract import Pipeline
from daemon.runners.ending import Ending

LogFormat = Literal["auto", "json", "text"]


class Assignment(msgspec.Struct, frozen=True):
    """What a worker is for: the first that it is told."""

    function: Pipeline
    memory_limit: int | None
    """Bytes that its process may fill."""
    log_level: str
    log_format: LogFormat


class Stop(msgspec.Struct, frozen=True):
    """The run under way should stop at its next item."""


class Ended(msgspec.Struct, frozen=True):
    """A run's function has ended, and everything that it reported was sent."""

    ending: Ending
    leaves: bool = False
    """Whether the worker takes no further order."""


EVENT = b"v"
ENDED = b"e"
_HEAD = struct.Struct("!cQ")

decode_ended = msgspec.json.Decoder(Ended).decode


def frame(kind: bytes, number: int, data: bytes) -> bytes:
    """A frame; the first of a run has the number 1."""
    return _HEAD.pack(kind, number) + data


def unframe(received: bytes) -> tuple[bytes, int, bytes]:
    """Kind, number and data of a frame. Raises `struct.error` for what is none."""
    return *_HEAD.unpack_from(received), received[_HEAD.size :]
