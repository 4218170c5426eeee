"""Configuration: one TOML file, checked whole at start."""

from daemon.config.load import ApiKey, Settings, is_loopback, load
from daemon.config.schema import (
    Config,
    IngestConfig,
    IngestSource,
    OwnConfig,
    OwnSource,
    RetryConfig,
)

__all__ = [
    "ApiKey",
    "Config",
    "IngestConfig",
    "IngestSource",
    "OwnConfig",
    "OwnSource",
    "RetryConfig",
    "Settings",
    "is_loopback",
    "load",
]
