"""Makes the generated parts of the docs: `make docs`. A test makes them again and compares.

docs/configuration.md  from the records of daemon/config/schema.py and daemon/pipelines/*/config.py
docs/metrics.md        from the registry
docs/openapi.json      from the running application
docs/api.md            its tables, from the same
docs/asyncapi.json     from the same: the messages of its sockets
docs/accuracy.md       from tests/corpus and the bundled rules
docs/fields.json       every field that answers ever had: fields may be added, never removed
alerts/rules/*.yml     from alerts/thresholds.toml
dashboards/json, docs/panels.md  from the functions of dashboards/ and alerts/thresholds.toml
deploy/kubernetes/*.yaml  from alerts and dashboards
deploy/compose/prometheus.yml, demo.toml  from alerts/prometheus.yml and examples/triaged.toml
"""

from __future__ import annotations

import ast
import inspect
import json
import tempfile
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from alerts.make import rule_files
from api.sockets import description as sockets
from daemon.config import schema
from daemon.config.load import Settings
from daemon.pipelines.ingest.config import IngestConfig, IngestSource
from daemon.pipelines.kinds import KINDS
from daemon.service import Daemon
from dashboards.make import dashboard_files, dashboards
from dashboards.page import panels_page
from deploy.containers import container_files
from deploy.manifests import manifest_files
from tests.accuracy_page import accuracy_page
from tests.api_tables import with_tables

DOCS = Path(__file__).parents[1] / "docs"
FIELDS = DOCS / "fields.json"

_CONFIGURATION = """\
One TOML file, checked whole at start and by `triaged check-config FILE`. Unknown keys are refused.
Relative paths start at the file's own folder, and `~` is a home folder. Secrets never stand in the file: a key that ends in
`_env` names an environment variable, one that ends in `_file` a file.
"""
_METRICS = """\
At `/metrics`, in the Prometheus text format or OpenMetrics, as the scraper asks. Counters count what
is on disk, and start at zero with the daemon; every pipeline and category is there from the start.
Label values are names of pipelines and sources, and closed vocabularies. The series of a mail account that
was made by API begin and end with it.

In OpenMetrics, which Prometheus asks for, `triaged_failures_total`, `triaged_runs_total` and
`triaged_run_duration_seconds` carry exemplars: the `run_id` of the latest run that was counted there, which
`GET /api/runs/{run_id}` knows. Prometheus keeps them when it is started with `--enable-feature=exemplar-storage`.
"""


def configuration() -> str:
    """The reference of all settings."""
    parts = [
        "# Configuration\n",
        _CONFIGURATION,
    ]
    for header, record in tables():
        parts.append(f"## `{header}`\n\n{inspect.getdoc(record)}\n")
        parts.append("| key | type | default | meaning |\n| --- | --- | --- | --- |")
        meanings = field_docs(record)
        for field in msgspec.structs.fields(record):
            cells = (f"`{field.name}`", _kind(field.type), _default(field), meanings[field.name])
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        parts.append("")
    return "\n".join(parts)


def tables() -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """The header of every table that a configuration may have, with its record."""
    for section in msgspec.structs.fields(schema.Config):
        if section.name != "pipelines":
            yield from _tables(section.name, section.type)
    for kind in KINDS:
        yield from _tables(f"pipelines.{kind.name or 'NAME'}", kind.config)


def _tables(
    path: str, kind: Any, header: str = "[{}]"
) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """The tables below `path`, where a value of this type stands."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is dict:
        yield from _tables(f"{path}.NAME", arguments[1])
    elif typing.get_origin(kind) is tuple:
        yield from _tables(path, arguments[0], "[[{}]]")
    elif arguments:
        for alternative in arguments:
            yield from _tables(path, alternative)
    elif isinstance(kind, type) and issubclass(kind, schema.ConfigTable):
        yield header.format(path), kind
        for field in msgspec.structs.fields(kind):
            yield from _tables(f"{path}.{field.name}", field.type)


def field_docs(record: type[msgspec.Struct]) -> dict[str, str]:
    """The docstring under each field, of the record and its bases."""
    found: dict[str, str] = {}
    for cls in reversed(record.__mro__):
        if not issubclass(cls, schema.ConfigTable):
            continue
        (body,) = ast.parse(inspect.getsource(cls)).body
        assert isinstance(body, ast.ClassDef)
        for node, following in zip(body.body, body.body[1:], strict=False):
            if isinstance(node, ast.AnnAssign) and isinstance(following, ast.Expr):
                assert isinstance(node.target, ast.Name)
                found[node.target.id] = " ".join(ast.literal_eval(following.value).split())
    return found


def _kind(kind: Any) -> str:
    while typing.get_origin(kind) is typing.Annotated:
        kind = kind.__origin__
    arguments = [k for k in typing.get_args(kind) if k is not type(None)]
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _kind(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f'`"{value}"`' for value in arguments)
    if origin in (dict, tuple):
        return "table" if origin is dict else "list"
    if issubclass(kind, schema.ConfigTable):
        return "table"
    return {"str": "text", "int": "number", "bool": "true or false", "Listen": "address"}.get(
        kind.__name__, kind.__name__.lower()
    )


def _default(field: Any) -> str:
    if field.required:
        return "required"
    value = field.default
    if value is msgspec.NODEFAULT or (not value and not isinstance(value, bool | int)):
        return "none"
    return f"`{_written(value)}`"


def _written(value: Any) -> str:
    if isinstance(value, schema.Duration):
        units = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
        size, unit = next((s, u) for s, u in units if value >= s and value % s == 0)
        return f'"{round(value / size)}{unit}"'
    if isinstance(value, schema.Size):
        return f'"{value // 1000**2}MB"'
    if isinstance(value, schema.Listen):
        return f'"{value}"'
    return json.dumps(value)


def metrics(daemon: Daemon) -> str:
    """The reference of all metrics."""
    parts = [
        "# Metrics\n",
        _METRICS,
        "| metric | type | labels | meaning |\n| --- | --- | --- | --- |",
    ]
    families = sorted(daemon.metrics.registry.collect(), key=lambda family: family.name)
    for family in families:
        if family.name.startswith("triaged_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = ", ".join(_labels(family))
            parts.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join([*parts, ""])


def _labels(family: Any) -> list[str]:
    known = getattr(family, "_labelnames", None) or ()
    seen = {label for sample in family.samples for label in sample.labels} - {"le"}
    return sorted({*known, *seen})


def openapi(daemon: Daemon) -> str:
    """The OpenAPI document."""
    from litestar.testing import TestClient

    from api.app import create_app

    with TestClient(create_app(daemon.offered), base_url="http://127.0.0.1:8080") as client:
        document = client.get("/schema/openapi.json").json()
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def asyncapi() -> str:
    """The AsyncAPI document."""
    return json.dumps(sockets.document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def fields_of_answers(document: dict[str, Any]) -> dict[str, list[str]]:
    """The fields of every record in an OpenAPI document."""
    return {
        name: sorted(record.get("properties", {}))
        for name, record in sorted(document["components"]["schemas"].items())
    }


def published_fields() -> dict[str, list[str]]:
    """The fields that were ever published."""
    return json.loads(FIELDS.read_text()) if FIELDS.exists() else {}


def fields(document: str) -> str:
    """All fields: those of today with those that were ever published."""
    merged = {name: set(present) for name, present in published_fields().items()}
    for name, present in fields_of_answers(json.loads(document)).items():
        merged.setdefault(name, set()).update(present)
    listed = {name: sorted(present) for name, present in sorted(merged.items())}
    return json.dumps(listed, indent=1) + "\n"


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file with its content."""
    with tempfile.TemporaryDirectory() as folder:
        source = IngestSource(files="inbox/*.csv", table="orders")
        config = schema.Config(pipelines={"ingest": IngestConfig(sources={"orders": source})})
        daemon = Daemon(Settings(config, Path(folder) / "triaged.toml"))
        try:
            document = openapi(daemon)
            yield DOCS / "configuration.md", configuration()
            yield DOCS / "metrics.md", metrics(daemon)
            yield DOCS / "accuracy.md", accuracy_page()
            yield DOCS / "openapi.json", document
            page = (DOCS / "api.md").read_text()
            yield DOCS / "api.md", with_tables(page, json.loads(document))
            yield DOCS / "asyncapi.json", asyncapi()
            yield FIELDS, fields(document)
            yield from rule_files()
            yield from dashboard_files()
            yield DOCS / "panels.md", panels_page(dashboards())
            yield from manifest_files()
            yield from container_files()
        finally:
            daemon.start(schedule=False)
            daemon.stop(0)


def main() -> None:
    """Writes them."""
    DOCS.mkdir(exist_ok=True)
    for path, content in list(generated()):
        path.write_text(content, "utf-8")
        print(path.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
