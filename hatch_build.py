"""Writes the commit that a wheel or source distribution is built from into it, for `triaged --version`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[type-arg, misc]
    """See `daemon/version.py`, which reads it. What is installed to be edited reads it from the clone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        sys.path.insert(0, self.root)
        from daemon.version import WRITTEN_DOWN, commit_of

        package = Path(self.root, "daemon")
        commit = commit_of(package)
        if version == "editable" or commit is None or (package / WRITTEN_DOWN).exists():
            return
        self._file = Path(self.directory, WRITTEN_DOWN)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(f"{commit}\n", "ascii")
        build_data["force_include"][str(self._file)] = f"daemon/{WRITTEN_DOWN}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if file := getattr(self, "_file", None):
            file.unlink()
