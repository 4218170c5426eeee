"""Makes `dashboards/json/*.json` and `dashboards/json/.lint`; `make docs` does so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alerts.thresholds import Thresholds, load
from dashboards.exclusions import exclusions
from dashboards.failures import failures
from dashboards.internals import internals
from dashboards.overview import overview
from dashboards.pipelines import pipelines
from dashboards.sources import sources

FOLDER = Path(__file__).parent / "json"


def dashboards(thresholds: Thresholds | None = None) -> list[dict[str, Any]]:
    """All dashboards."""
    chosen = thresholds or load()
    return [make(chosen) for make in (overview, failures, pipelines, sources, internals)]


def dashboard_files(thresholds: Thresholds | None = None) -> Iterator[tuple[Path, str]]:
    """Every file with its content."""
    made = dashboards(thresholds)
    for dashboard in made:
        text = json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n"
        yield FOLDER / f"{dashboard['uid']}.json", text
    yield FOLDER / ".lint", exclusions(made)
