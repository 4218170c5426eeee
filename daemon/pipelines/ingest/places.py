"""Where the ingestions of a configuration have their files."""

from __future__ import annotations

from pathlib import Path

from daemon.config import Config, Settings
from daemon.pipelines.ingest.config import PIPELINE, IngestConfig, IngestSource
from daemon.pipelines.ingest.folder import InputFolder


def ingestions(config: Config) -> dict[str, IngestSource]:
    """The ingestions of a configuration, by name."""
    ingest = config.pipelines.get(PIPELINE)
    return ingest.sources if isinstance(ingest, IngestConfig) else {}


def folders(settings: Settings) -> dict[str, InputFolder]:
    """The folder of each ingestion, by its name."""
    return {
        name: InputFolder(settings.base, source.files)
        for name, source in ingestions(settings.config).items()
    }


def rejects_folder(settings: Settings) -> Path:
    """Where rejected rows are kept."""
    return settings.store_path.parent / "rejects"


def quarantine_folder(settings: Settings) -> Path:
    """Where quarantined files are kept."""
    return settings.store_path.parent / "quarantine"
