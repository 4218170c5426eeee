"""What ends a run from outside its function.

RunCutShort
├── RunProcessDied           its process crashed, was killed, or ended itself
├── RunOutOfMemory           it needed more memory than it may
├── RunOutOfTime             it took longer than it may
└── DaemonDied               the daemon itself died in it, each time that it was begun
"""

from __future__ import annotations

import signal

from daemon.errors import TriagedError


class RunCutShort(TriagedError):
    """The run was cut short."""


class RunProcessDied(RunCutShort):
    """The run's process died."""

    def __init__(self, returncode: int, trace: str = "") -> None:
        """`returncode` as `subprocess` tells it; `trace` is where its threads were, if that is known."""
        super().__init__(f"The run's process {_how(returncode)}.")
        if trace:
            self.add_note(trace)


class RunOutOfMemory(RunCutShort):
    """The run needed more memory than its limit."""

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes."""
        super().__init__(f"The run needed more memory than its limit of {limit / 1000**2:,.0f} MB.")


class RunOutOfTime(RunCutShort):
    """The run took longer than its limit."""

    def __init__(self, limit: float) -> None:
        """`limit` is in seconds."""
        super().__init__(f"The run took longer than its limit of {limit:,g} s.")


class DaemonDied(RunCutShort):
    """The daemon died each time that this run was under way."""


def _how(returncode: int) -> str:
    if returncode >= 0:
        return f"ended itself with exit code {returncode}"
    name = signal.Signals(-returncode).name
    if name == "SIGKILL":
        return "was killed (SIGKILL), by the system for lack of memory or by somebody"
    return f"crashed in native code ({name})" if name in _CRASHES else f"was ended by {name}"


_CRASHES = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS")
