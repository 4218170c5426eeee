"""The sockets described message by message: an AsyncAPI 3 document, made from the records."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from api.routes import reads
from api.sockets.closing import MEANINGS
from api.sockets.kind import TopicKind
from api.sockets.status import STATUS
from daemon import __version__

_SCHEMAS = "#/components/schemas/{name}"

TOPICS: tuple[TopicKind, ...] = (STATUS,)
"""All kinds of topics that are served."""


@reads("/schema/asyncapi.json", summary="The sockets described", include_in_schema=False)
def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document."""
    return document()


def document(kinds: Sequence[TopicKind] = TOPICS) -> dict[str, Any]:
    """All messages both ways, and every code that a socket is closed with."""
    messages = dict.fromkeys(one for kind in kinds for one in (*kind.messages, *kind.requests))
    _, schemas = msgspec.json.schema_components(messages, ref_template=_SCHEMAS)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "triaged",
            "version": __version__,
            "description": "Live status. Fields and types of messages are only ever added: ignore "
            "those that you do not know.",
        },
        "defaultContentType": "application/json",
        "channels": {kind.name: _channel(kind) for kind in kinds},
        "operations": {name: body for kind in kinds for name, body in _operations(kind)},
        "components": {
            "messages": {_name(one): _message(one) for one in messages},
            "schemas": schemas,
        },
    }


def _channel(kind: TopicKind) -> dict[str, Any]:
    return {
        "address": kind.address.replace(":str}", "}"),
        "description": kind.description,
        "messages": {
            _name(one): {"$ref": f"#/components/messages/{_name(one)}"}
            for one in (*kind.messages, *kind.requests)
        },
        "bindings": {
            "ws": {
                "query": {
                    "type": "object",
                    "properties": {
                        "token": {"type": "string", "description": "From POST /api/token."}
                    },
                }
            }
        },
        "x-close-codes": {str(int(code)): meaning for code, meaning in MEANINGS.items()},
    }


def _operations(kind: TopicKind) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is said both ways. Those of the status were the only ones once, and keep their plain names."""
    of_kind = "" if kind is STATUS else f"_{kind.name}"
    told, asked = "What the server tells a client.", "What a client may ask."
    yield f"tell{of_kind}", _operation("send", kind, kind.messages, told)
    yield f"ask{of_kind}", _operation("receive", kind, kind.requests, asked)


def _operation(
    action: str, kind: TopicKind, messages: Sequence[type[msgspec.Struct]], summary: str
) -> dict[str, Any]:
    channel = f"#/channels/{kind.name}"
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{_name(one)}"} for one in messages],
    }


def _message(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "name": _name(kind),
        "summary": inspect.getdoc(kind),
        "payload": {"$ref": _SCHEMAS.format(name=kind.__name__)},
    }


def _name(kind: type[msgspec.Struct]) -> str:
    """The value of `type` in the message."""
    return str(kind.__struct_config__.tag)
