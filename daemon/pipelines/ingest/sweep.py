"""One run over one ingestion: each candidate file is loaded, failed or left for the next cycle."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from msgspec.structs import replace

from daemon.clock import Clock
from daemon.errors import UnsafePath
from daemon.pipelines.contract import RunHandle
from daemon.pipelines.ingest.config import IngestSource
from daemon.pipelines.ingest.facts import FileFacts
from daemon.pipelines.ingest.failures import (
    FileFailure,
    IngestError,
    LeftForLater,
    while_opening_input,
)
from daemon.pipelines.ingest.file_load import FileLoader
from daemon.pipelines.ingest.folder import InputFolder
from daemon.pipelines.ingest.formats import encoding_of
from daemon.pipelines.ingest.gathering import MOST_BYTES, GatheredFile, NotTogether
from daemon.pipelines.ingest.outcome import Outcome, report
from daemon.pipelines.ingest.ports import Candidate, ListedFile
from daemon.pipelines.ingest.source_file import SourceFile, opened
from daemon.taxonomy import FileStatus, RunState

_LOG = logging.getLogger("triaged.ingest")


class FolderSweep:
    """The files of one run. One bad file never stops the others."""

    def __init__(
        self,
        run: RunHandle,
        source: IngestSource,
        folder: InputFolder,
        loader: FileLoader,
        clock: Clock,
        *,
        trusting: bool,
    ) -> None:
        """`trusting` says that the warehouse is known to hold what the store says it does."""
        self._run = run
        self._source = source
        self._folder = folder
        self._loader = loader
        self._clock = clock
        self._trusting = trusting
        self._gathered: list[GatheredFile] = []
        self._gathered_bytes = 0
        self.left_some = False
        """Whether the next cycle has to look at files again that this one could not take."""
        self.met_new = False
        """Whether there was a file, or a version of one, that no run had seen."""

    def process(self, candidate: Candidate) -> None:
        """Loads a file and reports what came of it; raises `WarehouseError`."""
        listed = candidate.listed
        self.met_new = self.met_new or candidate.known_hash is None
        if self._is_young(listed):
            self._leave(listed)
            return
        self._run.step(RunState.PROCESSING, listed.path)
        self._attempt(candidate, alone=False)

    def finish_gathered(self) -> None:
        """Loads the small files that wait for each other; raises `WarehouseError`."""
        files, self._gathered, self._gathered_bytes = self._gathered, [], 0
        if not files:
            return
        try:
            self._report_loaded(self._loader.load_together(files, self._run.run_id))
        except LeftForLater:
            for file in files:
                self._leave(file.candidate.listed)
        except NotTogether as faulty:
            self._gathered = [file for file in files if file.facts.path not in faulty.paths]
            self._load_alone(file for file in files if file.facts.path in faulty.paths)
            self.finish_gathered()
        except (IngestError, OSError):  # of which file it is, each by itself tells
            self._load_alone(files)

    def _load_alone(self, files: Iterable[GatheredFile]) -> None:
        for file in files:
            self._attempt(file.candidate, alone=True)

    def _report_loaded(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._log_loaded(outcome.facts)
            report(self._run, outcome)

    def _attempt(self, candidate: Candidate, *, alone: bool) -> None:
        listed = candidate.listed
        try:
            self._open_and_load(candidate, alone=alone)
        except (LeftForLater, FileNotFoundError, NotADirectoryError):
            self._leave(listed)
        except OSError as error:
            self._run.fail(listed.path, while_opening_input(error), facts=_unseen(candidate))
        except (FileFailure, UnsafePath) as error:
            self._run.fail(listed.path, error, facts=_unseen(candidate))

    def _leave(self, listed: ListedFile) -> None:
        self.left_some = True
        self._run.skip(listed.path)

    def _open_and_load(self, candidate: Candidate, *, alone: bool) -> None:
        listed = candidate.listed
        if listed.path in self._folder.unnameable:
            raise FileFailure("The file's name is not UTF-8. Rename it.", "FILE_NAME")
        with opened(listed, self._folder.resolve(listed.path)) as file:
            file.known_hash = candidate.known_hash
            try:
                outcome = self._load(file, candidate, alone=alone)
            except FileFailure as error:
                self._run.fail(
                    file.path,
                    error,
                    sample_rows=() if error.row is None else (error.row,),
                    column=error.column,
                    facts=error.facts or file.facts,
                )
                return
            if outcome is not None:
                report(self._run, outcome)
            elif self._gathered_bytes >= MOST_BYTES:
                self.finish_gathered()

    def _load(self, file: SourceFile, candidate: Candidate, *, alone: bool) -> Outcome | None:
        """What came of the file; None when it waits for others."""
        encoding = encoding_of(file.path, self._source)
        file.scan(encoding, self._source.encoding)
        self.met_new = self.met_new or file.facts.arrived
        if known := self._known(file, candidate):
            return known
        if not alone and (gathered := self._loader.gather(file, encoding, candidate)):
            self._gathered.append(gathered)
            self._gathered_bytes += candidate.listed.size
            return None
        outcome = self._loader.load(file, encoding, self._run.run_id)
        if outcome.facts.rows_loaded or not outcome.facts.rows_rejected:
            self._log_loaded(outcome.facts)
        return outcome

    def _known(self, file: SourceFile, candidate: Candidate) -> Outcome | None:
        """What came of exactly this content before, so that a touched file is not loaded again.

        One to be tried again is loaded again, unless it was just before a crash: then the ledger
        knows a later run than the index does.
        """
        if candidate.forced:
            after = candidate.known_run
            return self._loader.already_loaded(file, after) if after is not None else None
        repeated = candidate.known_hash == file.content_hash
        if self._trusting and repeated and candidate.known_status is FileStatus.SUCCESS:
            return Outcome(replace(file.facts, rows_loaded=candidate.known_rows, repeated=True))
        known = self._loader.already_loaded(file)
        if known is None:
            return None
        return replace(known, facts=replace(known.facts, repeated=repeated))

    def _is_young(self, listed: ListedFile) -> bool:
        """Whether the file may still be growing; times from the future count by their distance."""
        age = self._clock.now().timestamp() - listed.mtime_ns / 1e9
        return abs(age) < self._source.settle

    def _log_loaded(self, facts: FileFacts) -> None:
        _LOG.info(
            "file loaded",
            extra={
                "event": "file_loaded",
                "run_id": self._run.run_id,
                "source": self._run.source,
                "file_path": facts.path,
                "rows_loaded": facts.rows_loaded,
                "rows_rejected": facts.rows_rejected,
            },
        )


def _unseen(candidate: Candidate) -> FileFacts:
    return replace(unread(candidate.listed), arrived=candidate.known_hash is None)


def unread(listed: ListedFile) -> FileFacts:
    """What is known of a file without reading it."""
    return FileFacts(path=listed.path, size=listed.size, mtime_ns=listed.mtime_ns, content_hash="")
