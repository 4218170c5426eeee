"""A pipeline of your own is a function that takes a run; triaged.toml names it."""

from __future__ import annotations

from pathlib import Path
from urllib.request import build_opener

from daemon.pipelines.contract import RunHandle

HERE = Path(__file__).parent


def heartbeat(run: RunHandle) -> None:
    """Checks that pages answer and files are there."""
    targets = run.options["targets"]
    run.step("fetching", "Checking that everything is there")
    for number, target in enumerate(targets, start=1):
        if run.cancelled:
            return
        try:
            if "://" in target:
                build_opener().open(target, timeout=5).close()
            else:
                (HERE / target).stat()
        except OSError as error:
            run.fail(target, error)
        else:
            run.succeed(target)
        run.progress(number, len(targets))
