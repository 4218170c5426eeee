"""Facts of the machine, and how much memory a process takes."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import duckdb

MEGABYTE = 1000 * 1000


def facts() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "DuckDB": duckdb.__version__,
        "kernel": platform.system(),
    }


def memory(process: int | str = "self") -> dict[str, float]:
    """Resident, proportional and private memory of a process, in MB."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 / MEGABYTE for line in lines}
    private = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return {"rss": sizes["Rss"], "pss": sizes["Pss"], "private": private}


def peak_rss(process: int | str = "self") -> float:
    """The most memory that a process ever had resident, in MB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / MEGABYTE
    return 0.0


def processor_seconds(process: int) -> float:
    """Seconds of processor time that a process has used, in user and system mode."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def forget_peak(process: int) -> None:
    """Lets `peak_rss` begin anew from what is resident now."""
    Path(f"/proc/{process}/clear_refs").write_text("5")
