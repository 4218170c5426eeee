"""The sockets described message by message: an AsyncAPI 3 document, made from the records."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import msgspec

from api.routes import reads
from api.schemas.live import FromClient, FromServer
from api.sockets.admission import KEY_PROTOCOL, PROTOCOL
from api.sockets.closing import MEANINGS
from daemon import __version__

_SCHEMAS = "#/components/schemas/{name}"
_CHANNEL = "#/channels/status"


@reads("/schema/asyncapi.json", summary="The sockets described", include_in_schema=False)
def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document."""
    return document()


def document() -> dict[str, Any]:
    """All messages both ways, and every code that a socket is closed with."""
    ours, theirs = get_args(FromServer), get_args(FromClient)
    _, schemas = msgspec.json.schema_components([*ours, *theirs], ref_template=_SCHEMAS)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "triaged",
            "version": __version__,
            "description": "Live status. Fields and types of messages are only ever added: ignore "
            "those that you do not know.",
        },
        "defaultContentType": "application/json",
        "channels": {"status": _channel([*ours, *theirs])},
        "operations": {
            "tell": _operation("send", ours, "What the server tells a client."),
            "ask": _operation("receive", theirs, "What a client may ask."),
        },
        "components": {
            "messages": {_name(kind): _message(kind) for kind in (*ours, *theirs)},
            "schemas": schemas,
        },
    }


def _channel(kinds: list[type[msgspec.Struct]]) -> dict[str, Any]:
    return {
        "address": "/ws/status",
        "description": "What goes on and what fails, as it happens. With API keys: as Authorization or "
        f"X-API-Key header, as subprotocol {KEY_PROTOCOL}BASE64URL beside {PROTOCOL}, or a token.",
        "messages": {
            _name(kind): {"$ref": f"#/components/messages/{_name(kind)}"} for kind in kinds
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


def _operation(
    action: str, kinds: tuple[type[msgspec.Struct], ...], summary: str
) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": _CHANNEL},
        "messages": [{"$ref": f"{_CHANNEL}/messages/{_name(kind)}"} for kind in kinds],
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
