"""Processes that the function of a run forks: they are not us, and end when they are told to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from functools import partial


def let_go_in_forks(numbers: Iterable[signal.Signals], close: Callable[[], None]) -> None:
    """Has whatever this process forks from now on take these signals as any other process, and `close` what is ours.

    With our handlers a child would ignore who ends it, and who waits for that (`multiprocessing.Pool`) would
    wait for ever. A signal that comes early waits.
    """
    ours = frozenset(numbers)
    heed = partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, ours)

    def be_none_of_us() -> None:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        close()
        heed()

    os.register_at_fork(
        before=partial(signal.pthread_sigmask, signal.SIG_BLOCK, ours),
        after_in_parent=heed,
        after_in_child=be_none_of_us,
    )
