"""Configuration: one TOML file, checked whole at start."""

from daemon.config.load import ApiKey, RecordOf, Settings, is_loopback, load
from daemon.config.schema import Config, PipelineConfig, RetryConfig, SourceConfig
from daemon.config.secrets import Secrets

__all__ = [
    "ApiKey",
    "Config",
    "PipelineConfig",
    "RecordOf",
    "RetryConfig",
    "Secrets",
    "Settings",
    "SourceConfig",
    "is_loopback",
    "load",
]
