"""Files of an ingestion that are to be retried: which of them can be, and their marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from daemon.errors import UnsafePath
from daemon.operations.retries.names import true_names
from daemon.pipelines.ingest.folder import Folder
from daemon.store.files import FileFilter, Files
from daemon.store.retries import Target
from daemon.taxonomy import FileStatus, RetryReason


class FileTargets:
    """The files among the targets of one ingestion."""

    def __init__(
        self, files: Files, folders: Mapping[str, Folder], targets: Sequence[Target]
    ) -> None:
        source = targets[0].source
        self._folder = folders[source]
        tracked = _paths(files, source)
        self.names = true_names(targets, tracked)
        paths = [name for name in self.names.values() if name is not None]
        self._statuses = files.statuses(source, paths)

    def refusal(self, target: Target) -> RetryReason | None:
        """Why a target cannot be retried; None when it can."""
        path = self.names[target.failure_id]
        if target.item is None or (path or "").endswith("/"):
            return None  # the run itself, or a folder that could not be listed: no file to look for
        status = self._statuses.get(path or "")
        if status in (FileStatus.QUARANTINED, FileStatus.IGNORED):
            return RetryReason.SET_ASIDE
        if path is None or status is None or not self._is_there(path):
            return RetryReason.FILE_GONE
        return None

    def to_mark(self, ready: Sequence[Target]) -> tuple[str, ...]:
        """Paths of those that are not marked to be read again yet."""
        paths = [self.names[target.failure_id] for target in ready]
        return tuple(
            path
            for path in paths
            if path and self._statuses.get(path) not in (None, FileStatus.RETRYING)
        )

    def _is_there(self, path: str) -> bool:
        try:
            return self._folder.resolve(path).is_file()
        except UnsafePath:
            return False


def _paths(files: Files, source: str) -> Iterator[str]:
    """All tracked paths, read only if somebody asks."""
    yield from files.paths(source, FileFilter())
