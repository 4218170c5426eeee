"""What a person can do about files: read them again, leave them alone, set them aside, bring them back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from daemon.clock import Clock
from daemon.errors import Conflict, NotFound
from daemon.events import LedgerChanged
from daemon.operations.decision import store_decision, wait_stored
from daemon.pipelines.catalog import Catalog
from daemon.pipelines.ingest.config import PIPELINE
from daemon.pipelines.ingest.facts import FilesMarked
from daemon.pipelines.ingest.folder import InputFolder
from daemon.pipelines.ingest.quarantine import Occasion, Quarantine
from daemon.recorder import Recorder
from daemon.scheduler import Scheduler
from daemon.store.ledgers.files.reading import FileFilter, Files
from daemon.taxonomy import FileStatus, Trigger


class FilesChanged(msgspec.Struct, frozen=True):
    """What became of a decision about files."""

    paths: list[str]
    """The files concerned."""
    started: bool
    """Whether a run began at once; otherwise the next cycle takes the files."""


class FileOperations:
    """Decides about the files of ingestions."""

    def __init__(
        self,
        catalog: Catalog,
        scheduler: Scheduler,
        recorder: Recorder,
        files: Files,
        folders: Mapping[str, InputFolder],
        quarantine: Quarantine,
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._scheduler = scheduler
        self._recorder = recorder
        self._files = files
        self._folders = folders
        self._quarantine = quarantine
        self._clock = clock

    def retry(self, source: str, paths: Sequence[str] | None = None) -> FilesChanged:
        """Reads files again, all that failed or those named, and starts at once if it can."""
        chosen = self._chosen(source, paths, (FileStatus.FAILED, FileStatus.PARTIAL))
        for path in chosen if paths is not None else ():
            self._require_retryable(source, path)
        chosen = [path for path in chosen if self._is_there(source, path)]
        self._mark(source, chosen, FileStatus.RETRYING)
        return FilesChanged(chosen, self._start(source) if chosen else False)

    def _require_retryable(self, source: str, path: str) -> None:
        if self._files.get(source, path).status in (FileStatus.QUARANTINED, FileStatus.IGNORED):
            raise Conflict(f"{path} is set aside: release it instead")
        if not self._is_there(source, path):
            raise Conflict(f"{path} is no longer in its folder")

    def ignore(self, source: str, paths: Sequence[str]) -> FilesChanged:
        """Leaves files alone, changed or not, until they are released."""
        chosen = self._chosen(source, paths, ())
        self._mark(source, chosen, FileStatus.IGNORED)
        return FilesChanged(chosen, False)

    def quarantine(self, source: str, paths: Sequence[str]) -> FilesChanged:
        """Copies files aside with a manifest and leaves them alone until they are released."""
        chosen = self._chosen(source, paths, ())
        for path in chosen:
            record = self._files.get(source, path)
            occasion = Occasion(
                category=record.category or "",
                user_message=record.user_message or "",
                run_id=record.run_id,
                quarantined_at=self._clock.now(),
            )
            with _on_disk(path, "set aside"):
                self._quarantine.put(source, path, self._original(source, path), occasion)
        self._mark(source, chosen, FileStatus.QUARANTINED)
        return FilesChanged(chosen, False)

    def release(self, source: str, paths: Sequence[str]) -> FilesChanged:
        """Brings quarantined or ignored files back: they are read in the next run."""
        chosen = self._chosen(source, paths, ())
        for path in chosen:
            status = self._files.get(source, path).status
            if status not in (FileStatus.QUARANTINED, FileStatus.IGNORED):
                raise Conflict(f"{path} is neither quarantined nor ignored")
        copies = [(path, self._quarantine.find(source, path)) for path in chosen]
        for path, versions in copies:
            # One that is still in its folder stays as it is there: it may have been fixed in place.
            if versions and not self._is_there(source, path):
                with _on_disk(path, "put back"):
                    self._quarantine.release(source, versions[0].id, self._original(source, path))
        self._mark(source, chosen, FileStatus.RETRYING)
        for _, versions in copies:
            for version in versions:
                self._quarantine.discard(source, version.id)
        return FilesChanged(chosen, self._start(source))

    def _original(self, source: str, path: str) -> Path:
        return self._folders[source].resolve(path)

    def _is_there(self, source: str, path: str) -> bool:
        """Whether it is still a file, and not, say, a folder or out of reach."""
        try:
            return self._original(source, path).is_file()
        except OSError:
            return False

    def _chosen(
        self, source: str, paths: Sequence[str] | None, statuses: Sequence[FileStatus]
    ) -> list[str]:
        """The tracked files among `paths`, or without them all of the given statuses."""
        self._catalog.source(PIPELINE, source)
        if paths is None:
            return [
                path
                for status in statuses
                for path in self._files.paths(source, FileFilter(status=status))
            ]
        unknown = set(paths) - self._files.tracked(source, paths)
        if unknown:
            raise NotFound(f"{len(unknown)} of the paths are not files that this ingestion tracks")
        return list(dict.fromkeys(paths))

    def _mark(self, source: str, paths: Sequence[str], status: FileStatus) -> None:
        if paths:
            marks = FilesMarked(pipeline=PIPELINE, source=source, paths=tuple(paths), status=status)
            store_decision(self._recorder, LedgerChanged(at=self._clock.now(), facts=marks))

    def _start(self, source: str) -> bool:
        try:
            self._scheduler.run_now(PIPELINE, source, Trigger.RETRY)
        except Conflict:
            return False  # it is running: the files are due in its next cycle
        wait_stored(self._recorder)
        return True


@contextmanager
def _on_disk(path: str, done: str) -> Iterator[None]:
    """What a disk or folder does not allow is a conflict of its own, not a defect."""
    try:
        yield
    except OSError as error:
        raise Conflict(f"{path} cannot be {done}: {error.strerror or error}") from error
