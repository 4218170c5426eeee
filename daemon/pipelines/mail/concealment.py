"""Errors without the secrets of their account: a server may repeat them in words that no mask knows."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from daemon.pipelines.mail.account import MailAccount, Password
from daemon.pipelines.mail.secret_text import SecretText


class Concealment:
    """Whatever is raised within its `with` block tells nothing of what it knows, however that is written."""

    def __init__(self, account: MailAccount) -> None:
        credentials = account.credentials
        if isinstance(credentials, Password):
            # What is sent to log in is a secret as a whole: of a short password little is left to go by.
            found = [credentials.value, f"\0{account.source.username}\0{credentials.value}"]
        else:
            latest = account.renewals and account.renewals.latest(credentials)
            found = [credentials.refresh_token, credentials.client_secret or "", latest or ""]
        self._secrets = [secret for secret in found if secret]

    def add(self, secret: str) -> None:
        """Knows of another one from now on, such as an access token."""
        if secret and secret not in self._secrets:
            self._secrets.append(secret)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        # The longest first: one may be part of another.
        secrets = (
            [SecretText(s) for s in sorted(self._secrets, key=len, reverse=True)] if error else []
        )
        while error is not None:
            error.args = tuple(_without(argument, secrets) for argument in error.args)
            error = error.__cause__ or error.__context__


def _without(argument: object, secrets: list[SecretText]) -> object:
    if isinstance(argument, bytes):
        argument = argument.decode("utf-8", "replace")
    if not isinstance(argument, str):
        return argument
    for secret in secrets:
        argument = secret.conceal(argument)
    return argument
