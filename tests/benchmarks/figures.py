"""What a benchmark finds: a value beside its limit or its peer, and whether it is within reach."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

DIGITS = 3


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    name: str
    value: float
    unit: str
    beside: str = ""
    """The peer or limit it is compared with, and its value."""
    ratio: float | None = None
    """The value divided by that of the peer or limit."""
    reach: str = ""
    ok: bool | None = None
    """None for a figure that is only reported."""


class Bench(msgspec.Struct, frozen=True):
    """What every benchmark is given."""

    folder: Path
    """Where stores and files go that are too dear to make anew each time."""
    quick: bool
    """Less data and fewer repetitions: to see that everything runs, not how fast."""
    full: bool
    """Also the store of ten million failures."""
    say: Callable[[str], None]
    """Shows what is going on."""

    def size(self, usual: int) -> int:
        """How much data: a tenth of `usual` when in a hurry."""
        return usual // 10 if self.quick else usual


def limited(name: str, value: float, unit: str, most: float, beside: str = "") -> Figure:
    """A value that must not be above a limit."""
    limit = f"limit {shown(most)} {unit}"
    return Figure(
        name=name,
        value=value,
        unit=unit,
        beside=f"{limit}; {beside}" if beside else limit,
        ratio=value / most,
        reach=f"≤ {shown(most)} {unit}",
        ok=value <= most,
    )


def at_least(name: str, value: float, unit: str, least: float, beside: str = "") -> Figure:
    """A value that must not be below a limit."""
    return Figure(
        name=name,
        value=value,
        unit=unit,
        beside=beside,
        ratio=value / least,
        reach=f"≥ {shown(least)} {unit}".rstrip(),
        ok=value >= least,
    )


def compared(
    name: str,
    value: float,
    unit: str,
    peer: tuple[str, float],
    *,
    least: float | None = None,
    most: float | None = None,
) -> Figure:
    """A value beside that of a peer in the same run: its ratio must be at least or at most so much."""
    ratio = value / peer[1]
    reach, ok = "", None
    if least is not None:
        reach, ok = f"≥ {shown(least)} x", ratio >= least
    elif most is not None:
        reach, ok = f"≤ {shown(most)} x", ratio <= most
    return Figure(
        name=name,
        value=value,
        unit=unit,
        beside=f"{peer[0]}: {shown(peer[1])} {unit}",
        ratio=ratio,
        reach=reach,
        ok=ok,
    )


def reported(name: str, value: float, unit: str) -> Figure:
    """A value that nothing is asked of."""
    return Figure(name=name, value=value, unit=unit)


def shown(value: float) -> str:
    """A number with three digits that count, and thousands set apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{DIGITS}g}"


def seconds(action: Callable[[], object]) -> float:
    """How long `action` takes."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def median(values: list[float]) -> float:
    return percentile(values, 0.5)


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
