"""What a function says of its run, as it is taken: numbers that can be counted, text that can be stored.

What cannot is refused where it is said, so that the function, and nothing else, fails of it.
"""

from __future__ import annotations

import reprlib

from daemon.events import Facts

MOST = 10**15
"""The largest number of things that may be reported at once: still exact in JSON, and sums fit into 64 bits."""

_NO_NUMBERS = (bool, str, bytes, bytearray)
_NO_TEXT = (type(None), bool, bytes, bytearray, memoryview)


def whole(call: str, name: str, given: object) -> int:
    """A number of things, also of a type of its own. Raises `ValueError`."""
    if type(given) is int and 0 <= given <= MOST:
        return given
    if not isinstance(given, _NO_NUMBERS):
        try:
            number = int(given)  # type: ignore[call-overload]
        except Exception:  # noqa: BLE001 (it may be of anyone's type; also not a number, or infinity)
            number = -1
        if 0 <= number <= MOST:
            return int(number)
    raise ValueError(
        f"{call}: expected a whole number from 0 to {MOST} as {name}, got {_shown(given)}"
    )


def words(call: str, name: str, given: object) -> str:
    """A text, or what names itself by one, such as a path. Raises `ValueError`."""
    if type(given) is str:
        return given
    if isinstance(given, _NO_TEXT):
        raise ValueError(f"{call}: expected a text as {name}, got {_shown(given)}")  # noqa: TRY004 (as for numbers)
    return str.__str__(str(given))


def known_facts(call: str, name: str, given: object) -> Facts:
    """Facts that some ledger may take. Raises `ValueError`."""
    if isinstance(given, Facts):
        return given
    raise ValueError(f"{call}: expected facts of a ledger as {name}, got {_shown(given)}")


def _shown(given: object) -> str:
    """What was given, as far as it can be shown."""
    try:
        return f"{reprlib.repr(given)} ({type(given).__name__})"
    except Exception:  # noqa: BLE001 (it may be of anyone's type, or a number of 5,000 digits)
        return type(given).__name__
