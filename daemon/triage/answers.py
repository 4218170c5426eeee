"""What the answer of a remote side says of an error: its code, and the sentence in its body.

Only what has been read already is looked at: asking a response for its text may wait for the network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

LONGEST_BODY = 64 * 1024
LONGEST_DETAIL = 500
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{2,99}")
_SENTENCES = ("detail", "error_description", "message", "error", "title", "errors", "reason")
_CODES = ("code", "error", "errorCode", "error_code", "__type", "reason", "status")


def answer_code(error: BaseException) -> str | None:
    """The code of a service: S3's ``SlowDown``, gRPC's ``UNAVAILABLE``, OAuth's ``invalid_grant``."""
    for value in _codes(error):
        if isinstance(value, str) and _CODE.fullmatch(value):
            return value
    return None


def _codes(error: BaseException) -> Iterator[Any]:
    """What may be the code, the surest first."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and isinstance(response.get("Error"), dict):
        yield response["Error"].get("Code")  # botocore
    code = getattr(error, "code", None)
    if callable(code):
        yield getattr(code(), "name", None)  # gRPC
    yield getattr(getattr(error, "error", None), "code", None)  # Azure
    yield from (getattr(error, name, None) for name in ("error_code", "reason", "error", "code"))
    body = _parsed(response)
    if isinstance(body, dict):
        nested = body.get("error")
        for part in (nested, body):
            if isinstance(part, dict):
                yield from (part.get(name) for name in _CODES)


def answer_detail(error: BaseException) -> str:
    """What the body of an HTTP answer says in words; empty when it says nothing of use."""
    response = getattr(error, "response", None)
    body = _parsed(response)
    if body is not None:
        return " ".join(_sentences(body))[:LONGEST_DETAIL]
    text = _body(response).decode(errors="replace").strip()
    return "" if text.startswith("<") or len(text) > LONGEST_DETAIL else text


def _sentences(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < 3:
        for part in value[:5]:
            yield from _sentences(part, depth + 1)
    elif isinstance(value, dict) and depth < 3:
        named = [name for name in _SENTENCES if value.get(name)]
        for name in named or (list(value)[:5] if depth else ()):
            # Lists of mistakes name the field: {"errors": {"email": ["is required"]}}
            yield from (
                f"{name}: {s}" if not named else s for s in _sentences(value[name], depth + 1)
            )


def _parsed(response: Any) -> Any:
    body = _body(response)
    if not body[:1].isspace() and body[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _body(response: Any) -> bytes:
    """The bytes that requests or httpx have read already; empty when they have not."""
    content = getattr(response, "_content", None)
    return content if isinstance(content, bytes) and len(content) <= LONGEST_BODY else b""
