"""Answers that are made while they are sent: in a thread, in flat memory, never silently cut short."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from urllib.parse import quote

from anyio import CancelScope
from litestar.concurrency import sync_to_thread
from litestar.response import Stream


def stream(chunks: Iterator[bytes], media_type: str, file_name: str | None = None) -> Stream:
    """An answer of `chunks`, as a file to save when it has a name.

    The first chunk is made before this returns, so that what goes wrong at once is an error answer;
    what goes wrong later breaks the connection off, so that a part is not taken for the whole.
    """
    first = next(chunks, b"")
    headers = {"content-type": media_type}
    if file_name is not None:
        headers["content-disposition"] = attachment(file_name)
    return Stream(_sent(first, chunks), headers=headers)


async def _sent(first: bytes, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    lock = threading.Lock()

    def take() -> bytes:
        with lock:
            return next(chunks, b"")

    def close() -> None:
        # A client that leaves does not stop the thread that makes the next chunk: this waits for it.
        with lock:
            if isinstance(chunks, Generator):
                chunks.close()

    try:
        yield first
        while chunk := await sync_to_thread(take):
            yield chunk
    finally:
        with CancelScope(shield=True):
            await sync_to_thread(close)


def attachment(file_name: str) -> str:
    """A Content-Disposition header (RFC 6266) that no file name can break out of."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", file_name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
