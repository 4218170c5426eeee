"""Values with a unit: durations, sizes and listening addresses, as a person writes them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 36_500 * 86400.0
"""Seconds: what no calendar or timer overflows with."""
_SIZES = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


class Duration(float):
    """Seconds. Written as a number and a unit: 250ms, 30s, 5m, 1h, 90d."""

    @classmethod
    def parse(cls, text: Any) -> Duration:
        match = isinstance(text, str) and re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
        seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
        if not 0 < seconds <= LONGEST:
            raise ValueError(
                'a duration above zero and of at most 36500d, such as "250ms", "30s", "5m" or "90d"'
            )
        return cls(seconds)


class Size(int):
    """Bytes. Written as a number and a unit: 64MB, 1GB."""

    @classmethod
    def parse(cls, text: Any) -> Size:
        match = isinstance(text, str) and re.fullmatch(r"(\d{1,15})(B|KB|MB|GB)", text)
        if not match or int(match[1]) == 0:
            raise ValueError('a size above zero, such as "64MB" or "1GB"')
        return cls(int(match[1]) * _SIZES[match[2]])


class Listen(NamedTuple):
    """Address and port to listen on. Written as "127.0.0.1:8080" or "[::1]:8080"."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: Any) -> Listen:
        match = isinstance(text, str) and re.fullmatch(
            r"(?:\[([0-9a-fA-F:.]+)\]|([^:\s\[\]]+)):(\d{1,5})", text
        )
        if not match or int(match[3]) > 65535:
            raise ValueError('an address and port, such as "127.0.0.1:8080" or "[::1]:8080"')
        return cls(match[1] or match[2], int(match[3]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
