"""The kinds of pipelines that there are, and the configuration as they understand it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from daemon.config import Settings, load
from daemon.pipelines.ingest.kind import INGEST
from daemon.pipelines.kind import Kinds
from daemon.pipelines.mail.kind import MAIL
from daemon.pipelines.own.kind import OWN, OWN_UNTRIED

KINDS = Kinds(
    INGEST,
    MAIL,
    OWN,
)
TO_CHECK = Kinds(*KINDS, OWN_UNTRIED)
"""The same for who checks a configuration and runs nothing of it."""


def load_settings(
    file: Path, environ: Mapping[str, str] | None = None, *, check_keys: bool = True
) -> Settings:
    """The settings in `file`, as `daemon.config.load` reads them."""
    return load(file, KINDS.record_of, environ, check_keys=check_keys)
