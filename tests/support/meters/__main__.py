"""Reads meters that show more and more, and says after each cycle what is on disk: until it is killed."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from daemon.config import load
from daemon.service import Daemon
from daemon.taxonomy import Trigger
from tests.support.meters.kind import CONFIG, WITH_METERS


def main(folder: Path, first: int) -> None:
    """`first` is what the meters show in the first cycle."""
    file = folder / "triaged.toml"
    file.write_text(CONFIG)
    daemon = Daemon(load(file, WITH_METERS.record_of, {}), kinds=WITH_METERS)
    daemon.start(schedule=False)
    meters = daemon.catalog.pipeline("meters")
    for n in count(first):
        lines = [f"m{i} {n}" for i in range(50)] + ["broken -"]
        (folder / "north.txt").write_text("\n".join(lines))
        daemon.cycles.run(meters, list(meters.sources.values()), Trigger.MANUAL)
        print(n, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
