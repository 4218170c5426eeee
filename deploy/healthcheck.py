"""The image's health check: ends with 0 while the daemon in this container answers that it is alive."""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT = 4
"""Seconds; less than what the Dockerfile gives the whole check."""


def check(port: int) -> str | None:
    """What is wrong with the daemon at `port` on loopback; None when it is alive, well or not.

    Straight to the address: proxies of the environment are for the way out.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"answered {status}"


if __name__ == "__main__":
    sys.exit(check(int(sys.argv[1]) if len(sys.argv) > 1 else 8080))
