"""Which files of its folder a run has to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from daemon.pipelines.contract import RunHandle
from daemon.pipelines.ingest.file_load import FileLoader
from daemon.pipelines.ingest.folder import InputFolder
from daemon.pipelines.ingest.known import KnownFiles
from daemon.pipelines.ingest.ports import Candidate, ListedFile

Holds = Callable[[str, str], bool]
"""Says whether the warehouse holds the rows of a file, given by path and content hash."""


class Listing:
    """The files of one run, in batches, so that a hundred thousand of them take no memory."""

    def __init__(
        self,
        run: RunHandle,
        folder: InputFolder,
        known: KnownFiles,
        loader: FileLoader,
        holds: Holds | None,
    ) -> None:
        """Without `holds` the store is taken to know what the warehouse holds."""
        self._run = run
        self._folder = folder
        self._known = known
        self._loader = loader
        self._holds = holds
        self.found = 0
        """How many files the glob matches, once they are counted."""

    @property
    def is_complete(self) -> bool:
        """Whether all of the folder was compared with the warehouse, not only what a person asked for."""
        return self._holds is not None and self._run.wanted is None and not self._run.cancelled

    def count(self) -> int:
        """How many files have to be looked at; the others are skipped."""
        self.found = pending = 0
        for batch in self._asked_for():
            self.found += len(batch)
            pending += len(self._candidates_of(batch))
        if self.found > pending:
            self._run.skip(count=self.found - pending)
        return pending

    def batches(self) -> Iterator[list[Candidate]]:
        """The files that have to be looked at, listed anew.

        The loader knows what was loaded of one batch at a time: be done with one before the next is asked for.
        """
        for batch in self._asked_for():
            yield self._candidates_of(batch)

    def _candidates_of(self, batch: list[ListedFile]) -> list[Candidate]:
        if self._holds is not None:
            self._loader.expect([file.path for file in batch])
            return self._known.candidates(batch, self._holds)
        found = self._known.candidates(batch)
        self._loader.expect([candidate.listed.path for candidate in found])
        return found

    def _asked_for(self) -> Iterator[list[ListedFile]]:
        wanted = self._run.wanted
        for batch in self._folder.batches():
            yield batch if wanted is None else [f for f in batch if f.path in wanted]
