"""Encrypts an account's secret: AES-256-GCM, bound to the account and to where its secret is sent.

A sealed secret is a byte that names this format, four bytes that tell keys apart, a nonce of twelve
bytes that is used once, and the ciphertext with its tag. What was copied to another account, or whose
account was turned to another server within the database, does not open.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

import msgspec

from daemon.accounts.secret import Secret, destination
from daemon.errors import CredentialsMissing
from daemon.pipelines.mail.config import MailSource

_FORMAT = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_AGAIN = "give it again"


def seal(key: bytes, secret: Secret, name: str, source: MailSource) -> bytes:
    """The secret of an account as it may be stored."""
    return seal_for(_bound(name, source), key, secret)


def seal_for(bound: bytes, key: bytes, secret: Secret) -> bytes:
    """A secret as it may be stored, which opens only together with `bound`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE_BYTES)
    text = msgspec.json.encode(secret)
    return _head(key) + nonce + AESGCM(key).encrypt(nonce, text, _FORMAT + bound)


def unseal(key: bytes, sealed: bytes, name: str, source: MailSource) -> Secret:
    """The secret of an account. Raises `CredentialsMissing` when it was sealed otherwise, or is damaged."""
    return unseal_for(_bound(name, source), key, sealed)


def unseal_for(bound: bytes, key: bytes, sealed: bytes) -> Secret:
    """What `seal_for` sealed. Raises `CredentialsMissing` likewise."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    head = _head(key)
    if sealed[:1] == _FORMAT and not sealed.startswith(head):
        raise CredentialsMissing(
            f"the secret was encrypted with another key than that of the key file: restore that key, or {_AGAIN}"
        )
    nonce, text = sealed[len(head) :][:_NONCE_BYTES], sealed[len(head) + _NONCE_BYTES :]
    try:
        plain = AESGCM(key).decrypt(nonce, text, sealed[:1] + bound)
        return msgspec.json.decode(plain, type=Secret)
    except (InvalidTag, ValueError):
        raise CredentialsMissing(
            f"the encrypted secret is damaged or belongs to another account: {_AGAIN}"
        ) from None


def _head(key: bytes) -> bytes:
    return _FORMAT + blake2b(key, digest_size=_KEY_ID_BYTES, person=b"triaged key id").digest()


def _bound(name: str, source: MailSource) -> bytes:
    return msgspec.json.encode(["triaged account", name, destination(source)])
