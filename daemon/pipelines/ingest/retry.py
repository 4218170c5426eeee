"""What a retry by hand means for files: which of them can be read again, and their marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daemon.clock import Clock
from daemon.errors import UnsafePath
from daemon.events import LedgerChanged
from daemon.item_key import item_key
from daemon.pipelines.ingest.facts import FilesMarked
from daemon.pipelines.ingest.folder import InputFolder
from daemon.pipelines.ingest.ports import TrackedFiles
from daemon.pipelines.retry_plan import Chosen, RetryPlan, names_or_all
from daemon.taxonomy import FileStatus, RetryReason


class FileRetries:
    """Plans the retry of files; see `PlanRetry`."""

    def __init__(
        self, pipeline: str, files: TrackedFiles, folders: Mapping[str, InputFolder], clock: Clock
    ) -> None:
        """`folders` by the names of the ingestions."""
        self._pipeline = pipeline
        self._files = files
        self._folders = folders
        self._clock = clock

    def __call__(self, source: str, chosen: Sequence[Chosen]) -> RetryPlan:
        """Files that are set aside or gone are refused; the others are marked to be read again."""
        paths = self._paths(source, chosen)
        known = [path for path in paths.values() if path is not None]
        statuses = self._files.statuses(source, known)
        refused = {}
        for item in chosen:
            path = paths[item.failure_id]
            if reason := self._refusal(source, item, path, statuses.get(path or "")):
                refused[item.failure_id] = reason
        ready = [path for failure_id, path in paths.items() if failure_id not in refused]
        to_mark = tuple(
            path for path in ready if path and statuses.get(path) not in (None, FileStatus.RETRYING)
        )
        return RetryPlan(names_or_all(ready), refused, self._marks(source, to_mark))

    def _paths(self, source: str, chosen: Sequence[Chosen]) -> dict[int, str | None]:
        """By failure id, the path of a file; None where it is not known.

        A path with something personal in it is stored masked, and recognised among those that are tracked.
        """
        paths = {item.failure_id: item.name for item in chosen}
        masked = {item.key: item for item in chosen if item.name is None and not item.is_run}
        if masked:
            for path in self._files.paths(source):
                if found := masked.get(item_key(self._pipeline, source, path)):
                    paths[found.failure_id] = path
        return paths

    def _refusal(
        self, source: str, item: Chosen, path: str | None, status: FileStatus | None
    ) -> RetryReason | None:
        """Why a file cannot be read again; None when it can."""
        if item.is_run or (path or "").endswith("/"):
            return None  # the run itself, or a folder that could not be listed: no file to look for
        if status in (FileStatus.QUARANTINED, FileStatus.IGNORED):
            return RetryReason.SET_ASIDE
        if path is None or status is None or not self._is_there(source, path):
            return RetryReason.FILE_GONE
        return None

    def _is_there(self, source: str, path: str) -> bool:
        try:
            return self._folders[source].resolve(path).is_file()
        except UnsafePath:
            return False

    def _marks(self, source: str, paths: tuple[str, ...]) -> tuple[LedgerChanged, ...]:
        if not paths:
            return ()
        marks = FilesMarked(
            pipeline=self._pipeline, source=source, paths=paths, status=FileStatus.RETRYING
        )
        return (LedgerChanged(at=self._clock.now(), facts=marks),)
