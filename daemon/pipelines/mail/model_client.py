"""HTTP to the model: one connection, bounded answers, and a deadline that a slow server cannot stretch."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

import httpx

from daemon.pipelines.mail.model import ModelError, ModelFault

LONGEST_ANSWER = 64 * 1024
"""Bytes of an answer; a category takes some hundred."""


class ModelClient:
    """Posts requests one after the other. For one thread."""

    def __init__(self, base_url: str, key: str | None, timeout: float) -> None:
        """`timeout` is in seconds, for a whole exchange."""
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._timeout = timeout
        self._socket: socket.socket | None = None
        # Neither proxies nor .netrc of the environment: it is told where to go, and goes there only.
        self._http = httpx.Client(headers=headers, timeout=timeout, trust_env=False)

    def post(self, body: bytes) -> bytes:
        """The answer's body. Raises `ModelError`; `OSError` when the connection fails."""
        late = threading.Event()
        watchdog = threading.Timer(self._timeout, self._cut, (late,))
        watchdog.daemon = True
        watchdog.start()
        try:
            answer = self._exchange(body)
        except (httpx.RequestError, OSError) as error:
            if late.is_set() or isinstance(error, httpx.TimeoutException):
                raise self._too_slow() from None
            raise ConnectionError(f"The model cannot be reached: {error}") from error
        finally:
            watchdog.cancel()
        if late.is_set():
            raise self._too_slow()
        return answer

    def _exchange(self, body: bytes) -> bytes:
        extensions = {"trace": self._trace}
        with self._http.stream("POST", self._url, content=body, extensions=extensions) as response:
            if response.status_code != httpx.codes.OK:
                raise ModelError(
                    f"The model's endpoint answered with status {response.status_code}.",
                    ModelFault.STATUS,
                    status=response.status_code,
                    retry_after=response.headers.get("Retry-After"),
                )
            answer = bytearray()
            for part in response.iter_bytes():
                answer += part
                if len(answer) > LONGEST_ANSWER:
                    raise ModelError("The model's answer is too long.", ModelFault.ANSWER)
            return bytes(answer)

    def _too_slow(self) -> ModelError:
        return ModelError(
            f"The model did not answer within {self._timeout:g} s.", ModelFault.TIMEOUT
        )

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        """Remembers the socket; httpx's own timeouts begin anew with every byte."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")

    def _cut(self, late: threading.Event) -> None:
        late.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()
