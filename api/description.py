"""The OpenAPI description: what Litestar cannot find out by itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from litestar import Router
from litestar.connection import ASGIConnection
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    Components,
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
    SecurityRequirement,
    SecurityScheme,
)
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition

from api.problems import PROBLEM_JSON, ProblemDetails
from api.query import Field, Query, fields_of
from api.tags import TAGS
from daemon import __version__
from daemon.access.roles import Role

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator

_MEANINGS = {
    400: "The request has mistakes, all of which are listed.",
    401: "An API key is needed, and none that is known was given.",
    403: "The key may not do this, or the request comes from another web site.",
    404: "There is no such thing.",
    409: "It cannot be done in the present state.",
    413: "The body is larger than 1 MB.",
    415: "The body is not JSON.",
    429: "More requests than one may make in a minute; the Retry-After header says when to go on.",
    421: "The Host header names another host than this one.",
    500: "The request could not be answered; the log says why.",
    503: "The store cannot be used at the moment, or something that must work does not.",
}


class Content(NamedTuple):
    """An answer that is not what the handler's annotation says."""

    kind: Any
    meaning: str
    media_type: str = "application/json"
    also: tuple[str, ...] = ()
    """What else it may be, by what the request asks for."""


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """These problems as answers of an endpoint."""
    return {
        status: answer(Content(ProblemDetails, _MEANINGS[status], PROBLEM_JSON))
        for status in statuses
    }


def answer(content: Content) -> ResponseSpec:
    """One answer of an endpoint."""
    return ResponseSpec(
        content.kind,
        generate_examples=False,
        description=content.meaning,
        media_type=content.media_type,
    )


def operation(query: type[Query], also: Iterable[str] = ()) -> type[Operation]:
    """An operation with the parameters of `query`, whose answer may be of other media types too."""
    parameters = [_parameter(field) for field in fields_of(query).values()]

    @dataclass
    class Described(Operation):
        def __post_init__(self) -> None:
            self.parameters = [*(self.parameters or []), *parameters] or None
            if isinstance(self.request_body, RequestBody):
                _leave_open(self.request_body)
            good = (self.responses or {}).get("200")
            if isinstance(good, OpenAPIResponse) and good.content is not None:
                text = OpenAPIMediaType(Schema(type=OpenAPIType.STRING))
                good.content.update(dict.fromkeys(also, text))

    return Described


def _leave_open(body: RequestBody) -> None:
    """A body that may be null may be left out altogether."""
    schemas = [content.schema for content in body.content.values()]
    body.required = not any(isinstance(schema, Schema) and schema.one_of for schema in schemas)


def _parameter(field: Field) -> Parameter:
    return Parameter(
        name=field.name,
        param_in="query",
        required=field.required,
        description=field.schema.get("description"),
        schema=_schema(field.schema, field.default),
    )


def _schema(schema: dict[str, Any], default: Any = None) -> Schema:
    if "anyOf" in schema:
        return Schema(any_of=[_schema(choice) for choice in schema["anyOf"]])
    return Schema(
        type=OpenAPIType(schema.get("type", "string")),
        enum=schema.get("enum"),
        format=OpenAPIFormat(schema["format"]) if "format" in schema else None,
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        min_length=schema.get("minLength"),
        max_length=schema.get("maxLength"),
        pattern=schema.get("pattern"),
        default=default,
    )


class Records(OpenAPISchemaPlugin):
    """Describes each record by its own docstring, and says which ones refuse unknown fields.

    By itself Litestar gives a record the description of the first field that holds one.
    """

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        kind = field_definition.annotation
        return isinstance(kind, type) and issubclass(kind, msgspec.Struct)

    def to_openapi_schema(
        self, field_definition: FieldDefinition, schema_creator: SchemaCreator
    ) -> Any:
        usual = next(
            plugin
            for plugin in schema_creator.plugins
            if plugin is not self
            and isinstance(plugin, OpenAPISchemaPlugin)
            and plugin.is_plugin_supported_field(field_definition)
        )
        kind = field_definition.annotation
        schema = usual.to_openapi_schema(field_definition, schema_creator)
        schema.description = inspect.getdoc(kind)
        if kind.__struct_config__.forbid_unknown_fields:
            schema.additional_properties = False
        return schema_creator.schema_registry.get_reference_for_field_definition(field_definition)


_ABOUT_KEYS = (
    "An API key, whose role must be the one named or a higher one: read, operate, admin. Not needed on "
    "this machine as long as there is no key at all."
)
_SCHEMES = {
    "bearer": SecurityScheme(type="http", scheme="bearer", description=_ABOUT_KEYS),
    "header": SecurityScheme(
        type="apiKey", name="X-API-Key", security_scheme_in="header", description=_ABOUT_KEYS
    ),
}


def security(role: Role | None) -> list[SecurityRequirement]:
    """What an endpoint asks of who uses it: a key, given in either way, with a role."""
    return [] if role is None else [{scheme: [role]} for scheme in _SCHEMES]


def description() -> OpenAPIConfig:
    """The description, at /schema and /schema/openapi.json, without any page that shows it."""
    return OpenAPIConfig(
        title="triaged",
        version=__version__,
        description="Background processing, its progress and its failures. Times are ISO 8601 in "
        "UTC. Fields are only ever added.",
        components=Components(security_schemes=dict(_SCHEMES)),
        use_handler_docstrings=True,
        tags=TAGS,
        openapi_router=Router(
            "/schema", route_handlers=[], guards=[_nothing_else], include_in_schema=False
        ),
        render_plugins=[JsonRenderPlugin(path="/openapi.json", media_type=MediaType.JSON)],
    )


def _nothing_else(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Any other path below /schema is an error like all others, and no HTML page."""
    if "path" in connection.path_params:
        raise NotFoundException
