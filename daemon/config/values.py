"""Values with a unit: durations, sizes and listening addresses, as a person writes them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


class Duration(float):
    """Seconds. Written as a number and a unit: 250ms, 30s, 5m, 1h, 90d."""

    @classmethod
    def parse(cls, text: Any) -> Duration:
        match = isinstance(text, str) and re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
        if not match or float(match[1]) == 0:
            raise ValueError('a duration above zero, such as "250ms", "30s", "5m", "1h" or "90d"')
        return cls(float(match[1]) * _UNITS[match[2]])


class Size(int):
    """Bytes. Written as a number and a unit: 64MB, 1GB."""

    @classmethod
    def parse(cls, text: Any) -> Size:
        match = isinstance(text, str) and re.fullmatch(r"(\d+)(B|KB|MB|GB)", text)
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
