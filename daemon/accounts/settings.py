"""The settings of an account as they are stored."""

from __future__ import annotations

import msgspec

from daemon.pipelines.mail.config import MailSource

_ENCODER = msgspec.json.Encoder(enc_hook=float, order="deterministic")
_DECODER = msgspec.json.Decoder(MailSource, dec_hook=lambda kind, value: kind(value))


def encode_settings(source: MailSource) -> str:
    """The settings as JSON, durations in seconds; the same text for the same settings."""
    return _ENCODER.encode(source).decode()


def decode_settings(text: str) -> MailSource:
    """What `encode_settings` wrote."""
    return _DECODER.decode(text)


def changed_settings(before: MailSource | None, after: MailSource) -> tuple[str, ...]:
    """Names of the settings that differ; all that are given, when there were none before."""
    names = MailSource.__struct_fields__
    if before is None:
        return tuple(name for name in names if getattr(after, name) is not None)
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))
