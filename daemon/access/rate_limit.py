"""How often somebody may ask: a bucket of tokens each, which time fills again."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network

BURST_SECONDS = 10
"""So much of the allowance may be used at once."""
MOST_BUCKETS = 10_000
"""Who has not asked for longest is forgotten first."""


class RateLimit:
    """So many requests a minute, with bursts, for each name. Not safe for several threads."""

    def __init__(self, per_minute: int) -> None:
        """Without a limit when `per_minute` is 0."""
        self._per_second = per_minute / 60
        self._most = max(1.0, self._per_second * BURST_SECONDS)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Uses the allowance of `name` at the moment `now`, in seconds of a monotonic clock.

        Returns 0, or the seconds until the next request is allowed.
        """
        if not self._per_second:
            return 0.0
        left = self._left(name, now) - 1
        if left < 0:
            return -left / self._per_second
        self._buckets[name] = (left, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0

    def wait(self, name: str, now: float) -> float:
        """As `take`, but uses nothing."""
        missing = 1 - self._left(name, now)
        return missing / self._per_second if missing > 0 and self._per_second else 0.0

    def _left(self, name: str, now: float) -> float:
        left, at = self._buckets.get(name, (self._most, now))
        return min(self._most, left + (now - at) * self._per_second)


class Remembered:
    """A bounded set: what was added longest ago is forgotten first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[object, None] = OrderedDict()

    def __contains__(self, entry: object) -> bool:
        return entry in self._entries

    def add(self, entry: object) -> None:
        """Remembers `entry` as the newest."""
        self._entries[entry] = None
        self._entries.move_to_end(entry)
        if len(self._entries) > MOST_BUCKETS:
            self._entries.popitem(last=False)


def client_of(address: str) -> str:
    """Who stands behind an address: of IPv6 the network, since a client has as many as it likes."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, 64), strict=False))
