"""What the environment says about where a command finds its daemon or its configuration."""

from __future__ import annotations

import os
from pathlib import Path

URL_VARIABLE = "TRIAGED_URL"
CONFIG_VARIABLE = "TRIAGED_CONFIG"
"""What counts where the command line names neither a daemon nor a configuration."""


def url_in_environment() -> str | None:
    """The address of a daemon, if one is named."""
    return os.environ.get(URL_VARIABLE) or None


def config_in_environment() -> Path | None:
    """The file of a configuration, if one is named."""
    named = os.environ.get(CONFIG_VARIABLE)
    return Path(named) if named else None
