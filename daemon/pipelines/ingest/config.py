"""The configuration of the ingest pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from daemon.config.schema import ConfigTable, FilePath, PipelineConfig, SourceName
from daemon.config.values import Duration, Size

PIPELINE = "ingest"
"""The name of the pipeline in the configuration, and wherever else it is named."""

Identifier = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="a table name of letters, digits and _",
    ),
]
ColumnName = Annotated[str, Meta(min_length=1, max_length=128)]
ColumnType = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z][A-Za-z0-9_ ]*([(\[].*)?$",
        max_length=10_000,
        description="a DuckDB type, such as BIGINT, DECIMAL(10,2), TIMESTAMP or VARCHAR[]",
    ),
]


Timezone = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_+/-]{1,64}$", description="a time zone, such as Europe/Berlin")
]


Character = Annotated[str, Meta(min_length=1, max_length=1)]


class IngestSource(ConfigTable, frozen=True, kw_only=True):
    """One ingestion: files by glob into a table."""

    files: FilePath
    """Glob of the input files, relative to the configuration file; `**` reaches subfolders, `{a,b}` is one or the other."""
    table: Identifier
    """Table that the rows go to; made when it does not exist."""
    format: Literal["auto", "csv", "jsonl", "json", "parquet"] = "auto"
    """`auto` goes by the file's name, with or without .gz or .zst."""
    mode: Literal["permissive", "failfast"] = "permissive"
    """`permissive` loads the good rows and sets the bad ones aside; `failfast` loads all or nothing."""
    columns: dict[ColumnName, ColumnType] | None = None
    """Columns and their DuckDB types; without them they are inferred from the first file."""
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    """CSV delimiter; found out when not given."""
    encoding: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,40}$")] = "utf-8"
    """Encoding of the text, by any of Python's names, such as windows-1252, latin-1 or utf-16."""
    quote: Character = '"'
    """CSV: what cells are quoted with."""
    escape: Character | None = None
    """CSV: what stands before a quote inside a quoted cell; doubled quotes when not given."""
    null: list[str] = []
    """CSV: cells that stand for no value, such as ["NA", "-"], besides empty ones."""
    skip: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """CSV: lines before the header that are left out."""
    header: bool = True
    """CSV: whether there is a header. Without one the cells are those of `columns`, in order."""
    decimal: Literal[".", ","] = "."
    """What stands before the decimals of a number that is text."""
    thousands: Literal[".", ",", " ", "'"] | None = None
    """What groups the digits of a number that is text."""
    date_format: Annotated[str, Meta(min_length=2, max_length=60)] | None = None
    """Notation of dates and times, such as %d/%m/%Y or %d.%m.%Y %H:%M, besides that of ISO 8601."""
    timezone: Timezone = "UTC"
    """Zone of times that name none, such as Europe/Berlin: in columns with a zone they are taken for times of that one."""
    settle: Duration = Duration(2)
    """A file changed more recently than this may still be growing and waits for the next cycle."""
    expect_every: Duration | None = None
    """How long it may take at most till a new file comes, such as "1d"; beyond that every run fails until one does."""
    enabled: bool = True
    """Whether cycles include it."""


class IngestConfig(PipelineConfig, frozen=True, kw_only=True):
    """The ingest pipeline."""

    database: FilePath = "data/warehouse.duckdb"
    """DuckDB database that the tables go to. It must not be the store."""
    memory_limit: Size = Size(256 * 1000**2)
    """What DuckDB may use while files load."""
    sources: dict[SourceName, IngestSource] = {}
    """The ingestions by name."""

    @property
    def databases(self) -> Mapping[str, str]:
        """See `PipelineConfig.databases`."""
        return {"database": self.database}
