"""The configuration of a pipeline of one's own: a Python function."""

from __future__ import annotations

from typing import Any, ClassVar

from daemon.config.schema import ConfigTable, FunctionPath, PipelineConfig, SourceName


class OwnSource(ConfigTable, frozen=True, kw_only=True):
    """One source of an own pipeline."""

    options: dict[str, Any] = {}
    """Handed to the function as `run.options`."""
    email_address: str | None = None
    """Shown by the API in place of null; never a label, never stored with failures."""
    enabled: bool = True
    """Whether cycles include it."""


class OwnConfig(PipelineConfig, frozen=True, kw_only=True):
    """A pipeline of your own: a Python function."""

    is_own_source: ClassVar[bool] = True

    run: FunctionPath
    """`module:function`, with the run as its one argument. The folder of the configuration file is on the import
    path, and relative paths start there."""
    sources: dict[SourceName, OwnSource] = {}
    """Its sources by name; without any it has one, named as the pipeline."""
