"""Refresh tokens that an endpoint handed out in place of those that accounts were given, kept encrypted.

Many endpoints take each refresh token once: without the newest one, no account would log in after a restart. It is
found by the token that was given first, so another one that a person gives takes its place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from hashlib import blake2b

import msgspec

from daemon.accounts.key_file import KeyFile
from daemon.accounts.sealing import seal_for, unseal_for
from daemon.accounts.secret import Secret
from daemon.errors import CredentialsMissing, RecorderClosed
from daemon.pipelines.mail.account import OAuth
from daemon.pipelines.mail.facts import RefreshTokenRenewed

log = logging.getLogger("triaged.accounts")

Keep = Callable[[RefreshTokenRenewed], None]
"""Stores it, and returns once it is on disk, or cannot be written for now."""


class KeptRenewals:
    """See `daemon.pipelines.mail.account.Renewals`. Safe for any thread."""

    def __init__(self, key_file: KeyFile, sealed: Mapping[str, bytes]) -> None:
        """`sealed` are those that are stored, by the id of the token that was given."""
        self._key_file = key_file
        self._sealed = dict(sealed)
        self._keep: Keep | None = None

    def connect(self, keep: Keep) -> None:
        """From now on renewed tokens are stored by `keep`."""
        self._keep = keep

    def latest(self, oauth: OAuth) -> str | None:
        """See `Renewals`."""
        try:
            key = self._key_file.read() if self._sealed else b""
            token_id = _token_id(key, oauth)
            sealed = self._sealed.get(token_id)
            if sealed is None:
                return None
            return unseal_for(token_id.encode(), key, sealed).refresh_token
        except CredentialsMissing as error:
            self._tell("the renewed refresh token of a mail account cannot be had", str(error))
            return None

    def keep(self, source: str, oauth: OAuth, token: str) -> None:
        """See `Renewals`."""
        try:
            key = self._key_file.read_or_create()
        except CredentialsMissing as error:
            self._tell("the renewed refresh token of a mail account cannot be kept", str(error))
            return
        token_id = _token_id(key, oauth)
        sealed = seal_for(token_id.encode(), key, Secret(refresh_token=token))
        self._sealed[token_id] = sealed
        if self._keep is not None:
            try:
                self._keep(RefreshTokenRenewed(token_id=token_id, source=source, sealed=sealed))
            except RecorderClosed:
                self._tell("a renewed refresh token came too late to be kept", "the daemon stopped")

    def _tell(self, what: str, reason: str) -> None:
        log.warning(what, extra={"event": "refresh_token_not_kept", "reason": reason})


def _token_id(key: bytes, oauth: OAuth) -> str:
    """Stands for the token that was given, and tells nothing of it without the key."""
    given = msgspec.json.encode([oauth.token_url, oauth.client_id, oauth.refresh_token])
    return blake2b(given, key=key, digest_size=16, person=b"triaged token id").hexdigest()
