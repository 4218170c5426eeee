"""The ingest pipeline: new and changed files of a folder into a table, each whole or not at all."""

from __future__ import annotations

from pathlib import Path

from daemon.clock import Clock
from daemon.errors import NotFound
from daemon.pipelines.contract import RunHandle
from daemon.pipelines.ingest.arrivals import check_arrivals
from daemon.pipelines.ingest.config import IngestConfig, IngestSource
from daemon.pipelines.ingest.failures import LOCKED, WarehouseError, while_opening_input
from daemon.pipelines.ingest.file_load import FileLoader
from daemon.pipelines.ingest.folder import InputFolder
from daemon.pipelines.ingest.identity import Ingestions
from daemon.pipelines.ingest.interruption import interrupting
from daemon.pipelines.ingest.known import KnownFiles
from daemon.pipelines.ingest.ledger import LoadedFiles
from daemon.pipelines.ingest.listing import Holds, Listing
from daemon.pipelines.ingest.ports import ListedFile
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
        self._ingestions = Ingestions(base, config.sources)
        self._tidied: set[str] = set()

    def __call__(self, run: RunHandle) -> None:
        """Processes one source. Raises `FolderError` or `WarehouseError` when no file can load."""
        source = self._source(run.source)
        folder = InputFolder(self._base, source.files)
        run.step(RunState.FETCHING, "Listing files")
        known = KnownFiles(run.known)
        with self._warehouse.session(source.timezone) as session:
            loader = FileLoader(
                session, self._rejects, self._clock, run.source, source, folder, self._ingestions
            )
            trusting = self._warehouse.is_as_known(run.source)
            listing = Listing(run, folder, known, loader, self._holds(session, loader, trusting))
            sweep = FolderSweep(run, source, folder, loader, self._clock, trusting=trusting)
            total = listing.count()
            _report_unreadable(run, folder, known.closed)
            if total:
                self._process(run, session, sweep, listing, total)
            loader.settle()
            if listing.is_complete and not sweep.left_some:
                self._warehouse.agrees(run.source)
        if run.wanted is None and not run.cancelled:
            if not listing.found:
                run.step(RunState.FETCHING, f"No file matches {source.files}")
            if not sweep.met_new:
                check_arrivals(source, known.newest, self._clock.now())

    def _process(
        self,
        run: RunHandle,
        session: WarehouseSession,
        sweep: FolderSweep,
        listing: Listing,
        total: int,
    ) -> None:
        with interrupting(session.interrupt, lambda: run.cancelled, _CANCEL_PERIOD):
            done = 0
            for batch in listing.batches():
                for candidate in batch:
                    if run.cancelled:
                        break
                    run.progress(done, max(done + 1, total))
                    sweep.process(candidate)
                    done += 1
                sweep.finish_gathered()
                if run.cancelled:
                    return
        run.progress(total, total)
        self._finish(run, session)

    def _holds(self, session: WarehouseSession, loader: FileLoader, trusting: bool) -> Holds | None:
        """Who is asked whether the warehouse holds what the store says; None to take that for true.

        A warehouse that its owner has open is looked at in a later cycle, unless there is something to load.
        """
        if trusting:
            return None
        if not self._warehouse.path.exists():
            return lambda _path, _content_hash: False
        try:
            session.connection  # noqa: B018 - opens it
        except WarehouseError as error:
            if error.error_class != LOCKED:
                raise
            return None
        return loader.holds

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


def _report_unreadable(run: RunHandle, folder: InputFolder, closed_before: frozenset[str]) -> None:
    """Fails what could not be looked at; a folder, which nothing else tracks, also recovers."""
    closed = {path for path in folder.unreadable if path.endswith("/")}
    for path, error in folder.unreadable.items():
        facts = None if path in closed else unread(ListedFile(path, 0, 0))
        run.fail(path, while_opening_input(error), facts=facts)
    for path in closed_before - closed:
        run.succeed(path)
