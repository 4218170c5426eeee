"""Whether an answer may be compressed."""

from __future__ import annotations


def accepts_gzip(header: str) -> bool:
    """What an Accept-Encoding header says of gzip."""
    for part in header.lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
