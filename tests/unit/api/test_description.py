"""The OpenAPI description, health and metrics."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from daemon.store.writer import Trouble
from daemon.taxonomy import Category, FailureStatus, GroupState, RunStatus
from tests.unit.api_support import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("description")) as served:
        yield served


@pytest.fixture(scope="module")
def description(served: Served) -> Any:
    return served.get("/schema/openapi.json")


@pytest.mark.requirement("F1")
def test_every_field_is_described(description: Any) -> None:
    missing = [
        f"{record}.{field}"
        for record, schema in description["components"]["schemas"].items()
        for field, shown in schema.get("properties", {}).items()
        if not shown.get("description")
    ]
    assert missing == []
    assert all(s.get("description") for s in description["components"]["schemas"].values())


@pytest.mark.requirement("F1")
def test_every_operation_and_parameter_is_described(description: Any) -> None:
    for path, operations in description["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            for parameter in operation.get("parameters", []):
                assert parameter["description"], (path, parameter["name"])


@pytest.mark.requirement("F1")
def test_no_answer_is_a_free_form_object(description: Any) -> None:
    for name, schema in description["components"]["schemas"].items():
        for field, shown in schema.get("properties", {}).items():
            assert shown.get("type") != "object", (name, field)


@pytest.mark.requirement("F3")
def test_the_parameters_of_failures_are_documented_with_their_limits(description: Any) -> None:
    parameters = {
        p["name"]: p["schema"]
        for p in description["paths"]["/api/processing/failures"]["get"]["parameters"]
    }
    assert set(parameters) == {
        *("email_address", "pipeline", "source", "category", "group", "retryable", "status"),
        *("since", "until", "q", "run_id", "failure_group", "limit", "cursor"),
        *("format", "excel"),
    }
    assert (parameters["limit"]["default"], parameters["limit"]["maximum"]) == (10, 100)
    assert {"auth", "connectivity", "gmail_service"} <= set(parameters["category"]["enum"])
    assert parameters["since"]["format"] == "date-time"


@pytest.mark.requirement("X4")
def test_every_error_is_documented_as_a_problem(description: Any) -> None:
    for operations in description["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert set(answer["content"]) == {"application/problem+json"}


@pytest.mark.requirement("S6")
def test_each_operation_says_which_role_it_needs(description: Any) -> None:
    said = {
        (method, path): operation.get("security", [])
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    }
    assert set(description["components"]["securitySchemes"]) == {"bearer", "header"}
    assert [place for place, needed in said.items() if not needed] == [
        ("get", "/healthz"),
        ("get", "/readyz"),
    ]
    assert said["get", "/api/runs"] == [{"bearer": ["read"]}, {"header": ["read"]}]
    assert said["post", "/api/retries"] == [{"bearer": ["operate"]}, {"header": ["operate"]}]
    assert said["get", "/api/audit"] == [{"bearer": ["admin"]}, {"header": ["admin"]}]


@pytest.mark.requirement("M1")
def test_metrics_come_in_the_format_asked_for(served: Served) -> None:
    text = served.client.get("/metrics", headers={"accept": "*/*"})
    assert text.headers["content-type"].startswith("text/plain; version=")
    assert 'triaged_failures_total{category="unknown",pipeline="mailbox"' in text.text
    wanted = "application/openmetrics-text; version=1.0.0"
    openmetrics = served.client.get("/metrics", headers={"accept": wanted})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


@pytest.mark.requirement("M1")
@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("identity", False), ("gzip;q=0", False)],
)
def test_metrics_are_compressed_if_that_is_accepted(
    served: Served, accepted: str, compressed: bool
) -> None:
    with served.client.stream("GET", "/metrics", headers={"accept-encoding": accepted}) as response:
        body = b"".join(response.iter_raw())
    assert ("content-encoding" in response.headers) is compressed
    assert b"triaged_build_info" in (gzip.decompress(body) if compressed else body)


@pytest.mark.requirement("X3")
def test_a_store_that_cannot_be_written_makes_the_daemon_unready_but_alive(served: Served) -> None:
    served.daemon.writer.trouble = Trouble("No space left on device", 0.0)
    alive = served.get("/healthz")
    assert alive["status"] == "degraded"
    problem = served.problem(503, "/readyz")
    assert "No space left on device" in problem["detail"]
    served.daemon.writer.trouble = None
    assert served.get("/readyz")["status"] == "ok"


@pytest.mark.requirement("F1")
def test_each_operation_has_a_name_of_its_own_that_a_client_can_use_and_one_heading(
    description: Any,
) -> None:
    operations = [o for path in description["paths"].values() for o in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name) for name in names), names
    headings = {tag["name"]: tag["description"] for tag in description["tags"]}
    assert {tag for operation in operations for tag in operation["tags"]} == set(headings)
    assert all(len(operation["tags"]) == 1 for operation in operations)


def _with_examples(part: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        if isinstance(part.get("examples"), list):
            yield place, part
        for name, inner in part.items():
            yield from _with_examples(inner, f"{place}/{name}")
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from _with_examples(inner, f"{place}/{number}")


@pytest.mark.requirement("F1")
def test_every_example_is_what_its_schema_allows(description: Any) -> None:
    components = {"components": description["components"]}
    found = list(_with_examples(description))
    assert len(found) > 100
    for place, schema in found:
        check = jsonschema_rs.validator_for({**schema, **components}, validate_formats=True)
        for example in schema["examples"]:
            assert check.is_valid(example), f"{place}: {example!r}"


@pytest.mark.requirement("F1")
def test_every_answer_and_body_has_a_type_and_closed_sets_say_what_they_hold(
    description: Any,
) -> None:
    for path, operations in description["paths"].items():
        for operation in operations.values():
            parts = [*operation["responses"].values(), operation.get("requestBody", {})]
            schemas = [c["schema"] for p in parts for c in (p.get("content") or {}).values()]
            assert all(schema not in ({}, {"type": "object"}) for schema in schemas), path
    records = description["components"]["schemas"]
    for vocabulary in (Category, RunStatus, FailureStatus, GroupState):
        assert records[vocabulary.__name__]["enum"] == [str(value) for value in vocabulary]


@pytest.mark.requirement("X4")
def test_head_is_answered_as_get_without_a_body(served: Served, description: Any) -> None:
    for path, operations in description["paths"].items():
        if "get" not in operations or "{" in path:
            continue
        head, get = served.client.head(path), served.client.get(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert head.headers["content-type"] == get.headers["content-type"], path
    assert served.client.head("/schema/openapi.json").status_code == 200
    assert served.client.head("/api/nothing").status_code == 404
    assert served.client.head("/api/runs?limit=0").status_code == 400
    refused = served.client.head("/api/pipelines/ingest/pause")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST, OPTIONS")
    assert served.client.post("/api/runs").headers["allow"] == "GET, HEAD, OPTIONS"
    assert served.client.options("/api/retries").headers["allow"] == "GET, HEAD, OPTIONS, POST"
