"""Configuration: one TOML file, checked whole at start."""

from daemon.config.load import ApiKey, Settings, is_loopback, load
from daemon.config.schema import (
    Config,
    IngestConfig,
    IngestSource,
    MailConfig,
    MailSource,
    OwnConfig,
    OwnSource,
    PipelineConfig,
    RetryConfig,
)
from daemon.config.secrets import Secrets

__all__ = [
    "ApiKey",
    "Config",
    "IngestConfig",
    "IngestSource",
    "MailConfig",
    "MailSource",
    "OwnConfig",
    "OwnSource",
    "PipelineConfig",
    "RetryConfig",
    "Secrets",
    "Settings",
    "is_loopback",
    "load",
]
