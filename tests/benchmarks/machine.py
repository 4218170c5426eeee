"""Facts of the machine, and how much memory a process takes."""

from __future__ import annotations

import os
import platform
import re
import threading
from pathlib import Path
from typing import NamedTuple, Self

import duckdb

MEGABYTE = 1000 * 1000
PEAK_SECONDS = 0.005
"""How often `Peak` looks."""


def facts() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "DuckDB": duckdb.__version__,
        "kernel": platform.system(),
    }


class Memory(NamedTuple):
    """Of a process, in MB."""

    own: float
    """RssAnon: what the process itself has filled. This is what is promised."""
    resident: float
    """VmRSS: with what is mapped of files, program code above all, which the kernel can take back."""
    proportional: float
    """PSS: the same, but of what several processes map only a share."""

    @property
    def beside(self) -> str:
        """What stands beside the promise."""
        return f"VmRSS {self.resident:.0f}, PSS {self.proportional:.0f} MB"


def memory(process: int | str = "self") -> Memory:
    """What a process takes now."""
    status = _sizes(Path(f"/proc/{process}/status"))
    return Memory(
        status["RssAnon"], status["VmRSS"], _sizes(Path(f"/proc/{process}/smaps_rollup"))["Pss"]
    )


def _sizes(file: Path) -> dict[str, float]:
    """Every line of a file that is a size, in MB."""
    found = re.findall(r"^(\w+):\s+(\d+) kB$", file.read_text(), re.MULTILINE)
    return {name: int(kilobytes) * 1024 / MEGABYTE for name, kilobytes in found}


class Peak:
    """The most that a process has as its own while it is watched: the kernel keeps that of VmRSS only."""

    def __init__(self, process: int | str = "self") -> None:
        self._status = Path(f"/proc/{process}/status")
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._follow, daemon=True)
        self.own = self.resident = 0.0

    def __enter__(self) -> Self:
        self._look()
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()

    def _follow(self) -> None:
        while not self._ended.wait(PEAK_SECONDS) and self._look():
            pass

    def _look(self) -> bool:
        """Whether there was still something to see: a process that has ended has no memory."""
        try:
            now = _sizes(self._status)
        except (FileNotFoundError, ProcessLookupError):
            return False
        self.own = max(self.own, now.get("RssAnon", 0.0))
        self.resident = max(self.resident, now.get("VmRSS", 0.0))
        return "RssAnon" in now


def processor_seconds(process: int) -> float:
    """Seconds of processor time that a process has used, in user and system mode."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
