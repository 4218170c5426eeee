"""What the failures of an item are found by."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b


def item_key(pipeline: str, source: str, item: str | None) -> int:
    """64 bits that stand for an item (or for the run itself): what its failures are found by."""
    key = _source_hash(pipeline, source).copy()
    if item is not None:
        key.update(b"1" + item.encode("utf-8", "replace"))
    return int.from_bytes(key.digest(), "big")


@lru_cache(1024)
def _source_hash(pipeline: str, source: str) -> blake2b:
    """What the keys of all items of a source begin with."""
    return blake2b(f"{pipeline}\0{source}\0".encode("utf-8", "replace"), digest_size=8)
