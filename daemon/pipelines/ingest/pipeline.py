"""The ingest pipeline: new and changed files of a folder into a table, each whole or not at all."""

from __future__ import annotations

from pathlib import Path

from daemon.clock import Clock
from daemon.config.schema import IngestConfig, IngestSource
from daemon.errors import NotFound, Problem
from daemon.pipelines.contract import RunHandle
from daemon.pipelines.ingest.checks import problems_of
from daemon.pipelines.ingest.file_load import FileLoader
from daemon.pipelines.ingest.folder import Folder
from daemon.pipelines.ingest.ledger import Ledger
from daemon.pipelines.ingest.ports import Candidate, FileIndex
from daemon.pipelines.ingest.rejects import Rejects
from daemon.pipelines.ingest.sweep import Sweep
from daemon.pipelines.ingest.warehouse import Session, Warehouse
from daemon.triage.taxonomy import RunState


class IngestPipeline:
    """Called with a run, it processes the ingestion that `run.source` names.

    One instance serves all sources and may be called for several of them at the same time.
    """

    def __init__(
        self, config: IngestConfig, base: Path, index: FileIndex, rejects: Path, clock: Clock
    ) -> None:
        """Globs and the database are relative to `base`; rejected rows go below `rejects`."""
        self._config = config
        self._base = base
        self._index = index
        self._clock = clock
        self._rejects = Rejects(rejects)
        self._rejects.remove_unfinished()
        self._warehouse = Warehouse(base / config.database, config.memory_limit)
        self._tidied: set[str] = set()

    def check(self) -> list[Problem]:
        """Mistakes of the configuration that only show against DuckDB and the file system."""
        return problems_of(self._config)

    def folder(self, source: str) -> Folder:
        """The folder of an ingestion; raises `NotFound` for a name that is none."""
        return Folder(self._base, self._source(source).files)

    def __call__(self, run: RunHandle) -> None:
        """Processes one source. Raises `FolderError` or `WarehouseError` when no file can load."""
        source = self._source(run.source)
        folder = Folder(self._base, source.files)
        run.step(RunState.FETCHING, "Listing files")
        candidates = self._candidates(run, folder)
        with self._warehouse.session() as session:
            loader = FileLoader(session, self._rejects, self._clock, run.source, source)
            sweep = Sweep(run, source, folder, loader, self._clock)
            for done, candidate in enumerate(candidates):
                if run.cancelled:
                    return
                run.progress(done, len(candidates))
                sweep.process(candidate)
            run.progress(len(candidates), len(candidates))
            self._finish(run, session)

    def _candidates(self, run: RunHandle, folder: Folder) -> list[Candidate]:
        candidates: list[Candidate] = []
        unchanged = 0
        for batch in folder.batches():
            found = self._index.candidates(run.source, batch)
            unchanged += len(batch) - len(found)
            candidates += found
        if unchanged:
            run.skip(count=unchanged)
        return candidates

    def _finish(self, run: RunHandle, session: Session) -> None:
        if not session.is_open:
            return
        run.step(RunState.WRITING, "Saving the warehouse")
        if run.source not in self._tidied:
            loaded = Ledger(session.connection, run.source).rejected_files()
            self._rejects.keep_only(run.source, loaded)
            self._tidied.add(run.source)

    def _source(self, name: str) -> IngestSource:
        source = self._config.sources.get(name)
        if source is None:
            raise NotFound(f"There is no ingestion {name}.")
        return source
