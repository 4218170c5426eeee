"""One file into its table: its good rows, rejected rows and ledger entry, or nothing of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import duckdb
import msgspec

from daemon.clock import Clock
from daemon.pipelines.ingest import failures, tables
from daemon.pipelines.ingest.config import IngestSource
from daemon.pipelines.ingest.conversion import TargetColumn
from daemon.pipelines.ingest.csv_careful import load_carefully
from daemon.pipelines.ingest.csv_layout import layout_of
from daemon.pipelines.ingest.csv_load import load_csv, suits
from daemon.pipelines.ingest.facts import FileFacts
from daemon.pipelines.ingest.failures import FileFailure
from daemon.pipelines.ingest.folder import InputFolder
from daemon.pipelines.ingest.formats import Encoding, Format
from daemon.pipelines.ingest.gathering import GatheredFile, GatheredRows, SharedLoad
from daemon.pipelines.ingest.identity import FileIdentity, Identification, Ingestions
from daemon.pipelines.ingest.inference import infer_columns
from daemon.pipelines.ingest.json_load import load_json, load_json_carefully
from daemon.pipelines.ingest.ledger import LoadedFiles, LoadedVersion
from daemon.pipelines.ingest.load import FILE_ID, REJECTED, Contents, Load, NeedsCare
from daemon.pipelines.ingest.notation import dialect_of, notation_of
from daemon.pipelines.ingest.outcome import Outcome
from daemon.pipelines.ingest.parquet_load import load_parquet
from daemon.pipelines.ingest.ports import Candidate
from daemon.pipelines.ingest.reconciliation import reconcile
from daemon.pipelines.ingest.rejects import RawLayout, Rejects, causes_in
from daemon.pipelines.ingest.source_file import ReadyText, SourceFile, place_of, ready
from daemon.pipelines.ingest.sql import identifier
from daemon.pipelines.ingest.warehouse import WarehouseSession

Read = Callable[[Load, Contents], None]


class FileLoader:
    """Loads the files of one run of one source."""

    def __init__(
        self,
        session: WarehouseSession,
        rejects: Rejects,
        clock: Clock,
        name: str,
        source: IngestSource,
        folder: InputFolder,
        ingestions: Ingestions,
    ) -> None:
        self._session = session
        self._rejects = rejects
        self._clock = clock
        self._name = name
        self._source = source
        self._folder = folder
        self._ingestions = ingestions
        self._expected: Sequence[str] = ()
        self._looked_up: Identification | None = None
        self._opened: LoadedFiles | None = None
        self._adopted: dict[int, tuple[str, str]] = {}
        self._unloaded = rejects.unloaded(name)
        """Rejected rows of versions that are not loaded."""
        self._columns: Sequence[TargetColumn] = ()
        """Of the table, once it is known to be there and ready: while the warehouse is open here
        nobody else can change it."""

    def expect(self, paths: Sequence[str]) -> None:
        """Says which files are next, so that the ledger is read once for all of them."""
        self.settle()
        self._expected = paths
        self._looked_up = None

    def settle(self) -> None:
        """Lets the ledger know under which names files are known now that it had under others."""
        if self._adopted:
            found = [(file_id, *names) for file_id, names in self._adopted.items()]
            with self._understood():
                self._ledger.adopt(found)
            self._adopted.clear()

    def holds(self, path: str, content_hash: str) -> bool:
        """Whether the rows of that version of a file are in the table; raises `WarehouseError`."""
        with self._understood():
            try:
                return self._entry(path, content_hash) is not None
            except FileFailure:
                return False

    def already_loaded(self, file: SourceFile, after: str = "") -> Outcome | None:
        """What came of exactly this content when it was loaded, if its rows are in the table.

        So a file that was only touched is not read again, nor is one that was loaded right before
        a crash. Only runs later than `after` count. Raises `WarehouseError`.
        """
        with self._understood():
            entry = self._entry(file.path, file.content_hash)
            if entry is None or entry.run_id <= after:
                return None
            columns = self._columns or tables.existing_columns(
                self._session.connection, self._source.table
            )
            return self._recalled(self._session.connection, file, entry, columns)

    def load(self, file: SourceFile, encoding: Encoding, run_id: str) -> Outcome:
        """Loads a file, replacing the rows of its earlier version.

        Raises `FileFailure` when nothing of this version is loaded (rows of an earlier version then
        stay), `LeftForLater` when it changed or the run was cancelled meanwhile, `WarehouseError`
        when no file can be loaded.
        """
        connection = self._session.connection
        folder = self._session.warehouse.path.parent
        place = self._folder.place(file.path)
        with self._understood():
            identity = self._identification.identify(file.path, place, file.content_hash)
        with (
            self._session.warehouse.writing(self._source.table),
            self._understood(),
            ready(connection, file, encoding, folder, self._source.encoding) as text,
        ):
            self._columns = self._columns or tables.ready_columns(
                connection, self._source.table, self._source.columns
            )
            contents = self._contents(text)
            try:
                return self._attempt(file, identity, contents, self._reader(contents), run_id)
            except NeedsCare:
                is_csv = contents.encoding.format is Format.CSV
                careful = load_carefully if is_csv else load_json_carefully
                return self._attempt(file, identity, contents, careful, run_id)

    def gather(
        self, file: SourceFile, encoding: Encoding, candidate: Candidate
    ) -> GatheredFile | None:
        """A small CSV file as it waits to be loaded with others; None for one to be loaded alone.

        Raises `FileFailure` and `LeftForLater` as `load` does.
        """
        if not self._columns or encoding != (Format.CSV, "none") or file.is_foreign:
            return None
        with self._understood():
            place = self._folder.place(file.path)
            identity = self._identification.identify(file.path, place, file.content_hash)
            contents = self._contents(ReadyText(file.binary, encoding, file.text.longest_line))
            if not contents.is_small or contents.layout.was_exported:
                return None
            rows = GatheredRows(self._session.connection, self._source.table, self._columns)
            load_carefully(rows, contents)
            if not rows.is_sound:
                return None
            file_id = identity.entry.file_id if identity.entry else self._ledger.new_file_id()
        file.check_settled()
        facts = msgspec.structs.replace(file.facts, rows_loaded=len(rows.records))
        return GatheredFile(candidate, facts, identity, place, file_id, rows)

    def load_together(self, files: Sequence[GatheredFile], run_id: str) -> list[Outcome]:
        """Loads all of these files or none; raises `NotTogether` when some have a fault, and as `load` does."""
        connection, table = self._session.connection, self._source.table
        with (
            self._session.warehouse.writing(table),
            self._understood(),
            _transaction(connection),
        ):
            self._delete_rows(frozenset(n for file in files for n in file.identity.file_ids))
            SharedLoad(connection, table, self._columns, notation_of(self._source)).add(files)
            versions = [(file.file_id, file.place, file.facts) for file in files]
            self._ledger.record(table, versions, run_id, self._clock.now())
            connection.commit()
        for file in files:
            self._remove_earlier_rejects(file.identity.entry, file.facts)
        return [Outcome(file.facts, (), _types(self._columns)) for file in files]

    def _recalled(
        self,
        connection: duckdb.DuckDBPyConnection,
        file: SourceFile,
        entry: LoadedVersion,
        columns: Sequence[TargetColumn],
    ) -> Outcome | None:
        name = self._rejects.name(self._name, file.path, file.content_hash)
        if entry.rows_rejected and not self._rejects.place(name).exists():
            return None
        facts = msgspec.structs.replace(
            file.facts,
            rows_loaded=entry.rows_loaded,
            rows_rejected=entry.rows_rejected,
            rejects=name if entry.rows_rejected else None,
        )
        try:
            causes = self._rejects.causes(connection, name) if entry.rows_rejected else []
        except duckdb.Error:  # damaged: reading the file again writes it anew
            return None
        return Outcome(facts, causes, _types(columns))

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        """Turns DuckDB's errors into ours, without the values that their texts and causes hold."""
        try:
            yield
        except duckdb.Error as error:
            if failures.broke_engine(error):
                self._session.close()  # what comes next opens the warehouse anew
                self._opened, self._looked_up, self._columns = None, None, ()
            raise failures.while_loading(error) from None
        except OSError as error:
            raise failures.while_writing(error) from None

    def _entry(self, path: str, content_hash: str) -> LoadedVersion | None:
        """The entry of a version whose rows are in the table; raises `FileFailure`."""
        place = self._folder.place(path)
        entry = self._identification.identify(path, place, content_hash).entry
        if entry is None or entry.content_hash != content_hash:
            return None
        if not entry.fills(self._source.table):
            return None
        if (entry.source, entry.path, entry.place) != (self._name, path, place):
            self._adopted[entry.file_id] = (path, place)
        return entry

    @property
    def _identification(self) -> Identification:
        if self._looked_up is None:
            self._ledger.look_up({path: self._folder.place(path) for path in self._expected})
            table = self._source.table
            self._looked_up = Identification(self._ledger, self._ingestions, self._name, table)
        return self._looked_up

    @property
    def _ledger(self) -> LoadedFiles:
        """Compared with the table first, where its owner may have changed that."""
        if self._opened is None:
            connection, warehouse = self._session.connection, self._session.warehouse
            if not warehouse.is_as_known(self._name):
                with warehouse.writing(self._source.table):
                    reconcile(connection, self._source.table)
            self._opened = LoadedFiles(connection, self._name)
        return self._opened

    def _contents(self, text: ReadyText) -> Contents:
        file, encoding, longest_line = text
        if encoding.format is Format.PARQUET:
            self._session.trial.read_parquet(place_of(file))
        if encoding.format is not Format.CSV:
            return Contents(file, encoding, longest_line=longest_line)
        wanted = list(self._source.columns or [column.name for column in self._columns])
        layout = layout_of(
            file, encoding.compression, self._source.delimiter, wanted, dialect_of(self._source)
        )
        return Contents(file, encoding, layout, longest_line)

    def _reader(self, contents: Contents) -> Read:
        if contents.encoding.format is Format.PARQUET:
            return load_parquet
        if contents.encoding.format is not Format.CSV:
            return load_json
        if not suits(contents):
            return load_carefully
        allowance = self._session.warehouse.memory_limit
        return lambda load, contents: load_csv(load, contents, allowance)

    def _attempt(
        self, file: SourceFile, identity: FileIdentity, contents: Contents, read: Read, run_id: str
    ) -> Outcome:
        connection = self._session.connection
        with _transaction(connection), contextlib.ExitStack() as written:
            load = self._begin(identity, contents)
            if load.columns:
                read(load, contents)
            fault = load.first_fault() if load.rows_rejected and self._is_failfast else None
            keeps = fault is None and (load.rows_loaded > 0 or not load.rows_rejected)
            outcome = self._outcome(load, file, keeps=keeps)
            if outcome.facts.rejects:
                layout, most = _raw_layout(load, contents), 1 if fault else None
                name = outcome.facts.rejects
                written.enter_context(
                    self._rejects.writing(connection, name, file.path, layout, most)
                )
            if keeps:
                self._record(load, outcome.facts, run_id)
            file.check_settled()
            # without one good row there is nothing to replace the rows of an earlier version, nor to make a table for
            (connection.commit if keeps else connection.rollback)()
        self._columns = load.columns if keeps else self._columns
        self._remove_earlier_rejects(identity.entry, outcome.facts)
        if fault:
            fault.facts = outcome.facts
            raise fault
        return outcome

    @property
    def _is_failfast(self) -> bool:
        return self._source.mode == "failfast"

    def _record(self, load: Load, facts: FileFacts, run_id: str) -> None:
        version = (load.file_id, self._folder.place(facts.path), facts)
        self._ledger.record(self._source.table, [version], run_id, self._clock.now())

    def _remove_earlier_rejects(self, earlier: LoadedVersion | None, facts: FileFacts) -> None:
        key = self._rejects.name(self._name, facts.path, "").rpartition("-")[0]
        names = self._unloaded.pop(key, [])
        if earlier and earlier.rows_rejected:
            names.append(self._rejects.name(earlier.source, earlier.path, earlier.content_hash))
        for name in names:
            if name != facts.rejects:
                self._rejects.remove(name)
        if facts.rejects and not facts.rows_loaded:
            self._unloaded[key] = [facts.rejects]

    def _begin(self, identity: FileIdentity, contents: Contents) -> Load:
        connection, table = self._session.connection, self._source.table
        columns = self._columns or self._create_table(contents)
        if columns:
            self._delete_rows(identity.file_ids)
        file_id = identity.entry.file_id if identity.entry else self._ledger.new_file_id()
        return Load(connection, table, columns, file_id, notation_of(self._source))

    def _delete_rows(self, file_ids: frozenset[int]) -> None:
        if file_ids:
            self._session.connection.execute(
                f"""DELETE FROM {identifier(self._source.table)}
                    WHERE {FILE_ID} IN (SELECT unnest(?::BIGINT[]))""",
                [list(file_ids)],
            )

    def _create_table(self, contents: Contents) -> Sequence[TargetColumn]:
        """The table's columns; none when the file does not tell any: then there is no table either."""
        connection, declared = self._session.connection, self._source.columns
        columns = (
            [TargetColumn(name, type_) for name, type_ in declared.items()]
            if declared
            else infer_columns(connection, contents, notation_of(self._source))
        )
        return columns and tables.create(connection, self._source.table, columns)

    def _outcome(self, load: Load, file: SourceFile, *, keeps: bool) -> Outcome:
        rejects = self._rejects.name(self._name, file.path, file.content_hash, loaded=keeps)
        rows_rejected = min(load.rows_rejected, 1) if self._is_failfast else load.rows_rejected
        facts = msgspec.structs.replace(
            file.facts,
            rows_loaded=load.rows_loaded if keeps else 0,
            rows_rejected=rows_rejected,
            rejects=rejects if load.rows_rejected else None,
        )
        causes = causes_in(load.connection, REJECTED) if load.rows_rejected else []
        return Outcome(facts, causes, _types(load.columns))


def _types(columns: Sequence[TargetColumn]) -> dict[str, str]:
    return {column.name: column.type for column in columns}


def _raw_layout(load: Load, contents: Contents) -> RawLayout:
    form = contents.encoding.format.value
    if contents.encoding.format is Format.CSV:
        layout = contents.layout
        return RawLayout(
            form, layout.header, layout.delimiter, layout.dialect.quote, layout.dialect.escape
        )
    return RawLayout(form, tuple(column.name for column in load.columns))


@contextlib.contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Rolls back whatever was not committed within."""
    connection.begin()
    try:
        yield
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # a fatal error has ended it already
            connection.rollback()
        raise
