"""What images have in /opt, made by the Dockerfile's own commands in a folder in place of a container."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.compose import instructions
from tests.support.product import ROOT

PATIENCE = 300
"""Seconds that pip may take; it may have to fetch what it has not cached."""


def build(folder: Path, *stages: str) -> Path:
    """Carries out what the stages copy and run, as far as it concerns /opt; returns the folder for it.

    A build sees only what the Dockerfile copies. Raises `AssertionError` with what a command said.
    """
    source, opt = folder / "src", folder / "opt"
    source.mkdir()
    opt.mkdir()
    environment = os.environ | {"PATH": f"{_python(folder)}:{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    for stage in stages:
        for line in instructions(stage):
            if line.word == "RUN" and "/opt/" in line.rest:
                _run(line.rest.replace("/opt/", f"{opt}/"), source, environment)
            for name, target in line.copied:
                _copy(ROOT / name, folder / target[1:] if target.startswith("/") else source / name)
    shutil.rmtree(source)
    return opt


def _run(command: str, source: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _python(folder: Path) -> Path:
    """A folder with a `python` that other users can run as well, if there is one."""
    own = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    found = [path for path in (own, Path("/usr/bin/python3")) if _for_everybody(path)]
    place = folder / "python"
    place.mkdir()
    (place / "python").symlink_to(found[0] if found else own)
    return place


def _for_everybody(path: Path) -> bool:
    return path.exists() and all(
        part.stat().st_mode & 0o001 for part in (path.resolve(), *path.resolve().parents)
    )
