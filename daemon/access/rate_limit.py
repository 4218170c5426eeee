"""How often somebody may ask."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network

BURST_SECONDS = 10
"""So much of the allowance may be used at once."""
MOST_BUCKETS = 10_000
"""Who has not asked for longest is forgotten first."""


class Bucket:
    """Room for so many at once, which time makes anew. Moments are seconds of a monotonic clock."""

    __slots__ = ("_at", "_left", "_most", "_per_second")

    def __init__(self, most: float, per_second: float, now: float) -> None:
        self._most = self._left = most
        self._per_second = per_second
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until there is room for one; 0 when there is. Uses nothing."""
        return max(0.0, 1 - self._room(now)) / self._per_second

    def take(self, now: float) -> float:
        """Uses the room for one, also in advance; returns the seconds that this one has to wait."""
        seconds = self.wait(now)
        self._left, self._at = self._room(now) - 1, now
        return seconds

    def _room(self, now: float) -> float:
        return min(self._most, self._left + (now - self._at) * self._per_second)


class RateLimit:
    """So many requests a minute, with bursts, for each name. Not safe for several threads."""

    def __init__(self, per_minute: int) -> None:
        """Without a limit when `per_minute` is 0."""
        self._per_second = per_minute / 60
        self._most = max(1.0, self._per_second * BURST_SECONDS)
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Uses the allowance of `name`, if it has any, at the moment `now` of a monotonic clock.

        Returns 0, or the seconds until the next request is allowed.
        """
        seconds = self.wait(name, now)
        if self._per_second and not seconds:
            bucket = self._buckets.setdefault(name, self._bucket(name, now))
            bucket.take(now)
            self._buckets.move_to_end(name)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return seconds

    def wait(self, name: str, now: float) -> float:
        """As `take`, but uses nothing."""
        return self._bucket(name, now).wait(now) if self._per_second else 0.0

    def _bucket(self, name: str, now: float) -> Bucket:
        return self._buckets.get(name) or Bucket(self._most, self._per_second, now)


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
