"""The ingest pipeline: new and changed files of a folder into a table, each whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from daemon.clock import Clock
from daemon.errors import NotFound
from daemon.pipelines.contract import RunHandle
from daemon.pipelines.ingest.config import IngestConfig, IngestSource
from daemon.pipelines.ingest.failures import while_opening_input
from daemon.pipelines.ingest.file_load import FileLoader
from daemon.pipelines.ingest.folder import InputFolder
from daemon.pipelines.ingest.interruption import interrupting
from daemon.pipelines.ingest.known import KnownFiles
from daemon.pipelines.ingest.ledger import LoadedFiles
from daemon.pipelines.ingest.ports import Candidate, ListedFile
from daemon.pipelines.ingest.rejects import Rejects
from daemon.pipelines.ingest.sweep import FolderSweep, unread
from daemon.pipelines.ingest.warehouse import Warehouse, WarehouseSession
from daemon.taxonomy import RunState

_CANCEL_PERIOD = 0.25


class IngestPipeline:
    """Called with a run, it processes the ingestion that `run.source` names.

    One instance serves all sources and may be called for several of them at the same time.
    """

    def __init__(self, config: IngestConfig, base: Path, rejects: Path, clock: Clock) -> None:
        """Globs and the database are relative to `base`; rejected rows go below `rejects`."""
        self._config = config
        self._base = base
        self._clock = clock
        self._rejects = Rejects(rejects)
        self._rejects.remove_unfinished()
        self._warehouse = Warehouse(base / config.database, config.memory_limit)
        self._tidied: set[str] = set()

    def __call__(self, run: RunHandle) -> None:
        """Processes one source. Raises `FolderError` or `WarehouseError` when no file can load."""
        source = self._source(run.source)
        folder = InputFolder(self._base, source.files)
        run.step(RunState.FETCHING, "Listing files")
        known = KnownFiles(run.known)
        total = _count(run, folder, known)
        _report_unreadable(run, folder, known.closed)
        if not total:
            return
        with self._warehouse.session() as session:
            loader = FileLoader(session, self._rejects, self._clock, run.source, source)
            sweep = FolderSweep(run, source, folder, loader, self._clock)
            with interrupting(session.interrupt, lambda: run.cancelled, _CANCEL_PERIOD):
                for done, candidate in enumerate(_candidates(run, folder, known, loader)):
                    if run.cancelled:
                        return
                    run.progress(done, max(done + 1, total))
                    sweep.process(candidate)
            run.progress(total, total)
            self._finish(run, session)

    def _finish(self, run: RunHandle, session: WarehouseSession) -> None:
        if not session.is_open:
            return
        run.step(RunState.WRITING, "Saving the warehouse")
        if run.source not in self._tidied:
            loaded = LoadedFiles(session.connection, run.source).rejected_files()
            self._rejects.keep_only(run.source, loaded)
            self._tidied.add(run.source)

    def _source(self, name: str) -> IngestSource:
        source = self._config.sources.get(name)
        if source is None:
            raise NotFound(f"There is no ingestion {name}.")
        return source


def _asked_for(run: RunHandle, folder: InputFolder) -> Iterator[list[ListedFile]]:
    """The folder's files, or those of them that are wanted, in batches."""
    for batch in folder.batches():
        yield batch if run.wanted is None else [f for f in batch if f.path in run.wanted]


def _count(run: RunHandle, folder: InputFolder, known: KnownFiles) -> int:
    """How many files have to be looked at; the others are skipped.

    They are listed again to be processed, so that a hundred thousand of them take no memory.
    """
    listed = found = 0
    for batch in _asked_for(run, folder):
        listed += len(batch)
        found += len(known.candidates(batch))
    if listed > found:
        run.skip(count=listed - found)
    return found


def _report_unreadable(run: RunHandle, folder: InputFolder, closed_before: frozenset[str]) -> None:
    """Fails what could not be looked at; a folder, which nothing else tracks, also recovers."""
    closed = {path for path in folder.unreadable if path.endswith("/")}
    for path, error in folder.unreadable.items():
        facts = None if path in closed else unread(ListedFile(path, 0, 0))
        run.fail(path, while_opening_input(error), facts=facts)
    for path in closed_before - closed:
        run.succeed(path)


def _candidates(
    run: RunHandle, folder: InputFolder, known: KnownFiles, loader: FileLoader
) -> Iterator[Candidate]:
    for batch in _asked_for(run, folder):
        found = known.candidates(batch)
        loader.expect([candidate.listed.path for candidate in found])
        yield from found
