"""Every endpoint there is, with each role: from the description, so that none can be forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from api.trail import REASONS
from daemon.store.audit import Audit, AuditFilter
from daemon.store.columns.audit import AuditRecord
from tests.unit.api_support import KEYS, WITH_KEYS, Served, put_files, serving

ROLES = list(KEYS)
OPEN = {("get", "/healthz"), ("get", "/readyz")}


class Endpoint(NamedTuple):
    """One operation, with a path of things that do not exist."""

    method: str
    path: str
    role: str | None
    template: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("roles")
    put_files(folder)
    with serving(folder, WITH_KEYS) as served:
        yield served


@pytest.fixture(scope="module")
def endpoints(served: Served) -> list[Endpoint]:
    headers = {"x-api-key": KEYS["read"]}
    document = served.client.get("/schema/openapi.json", headers=headers).json()
    found = []
    for template, operations in document["paths"].items():
        for method, operation in operations.items():
            path = template
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    value = "1" if parameter["schema"]["type"] == "integer" else "nothing"
                    path = path.replace(f"{{{parameter['name']}}}", value)
            security = operation.get("security") or [{"bearer": [None]}]
            found.append(Endpoint(method, path, security[0]["bearer"][0], template))
    assert len(found) > 40
    return found


def ask(served: Served, endpoint: Endpoint, role: str | None, **more: Any) -> int:
    headers = {"x-api-key": KEYS[role]} if role else {}
    return served.client.request(
        endpoint.method, endpoint.path, headers=headers, **more
    ).status_code


@pytest.mark.requirement("S6")
def test_no_endpoint_does_anything_without_a_key(served: Served, endpoints: list[Endpoint]) -> None:
    without = {(e.method, e.template) for e in endpoints if ask(served, e, None) != 401}
    assert without == OPEN


@pytest.mark.requirement("S6")
def test_every_endpoint_lets_in_its_role_and_those_above_only(
    served: Served, endpoints: list[Endpoint]
) -> None:
    for endpoint in endpoints:
        for held in ROLES:
            needed = endpoint.role
            allowed = needed is None or ROLES.index(held) >= ROLES.index(needed)
            assert (ask(served, endpoint, held) != 403) == allowed, (endpoint, held)


@pytest.mark.requirement("S6")
def test_what_changes_something_needs_more_than_reading(endpoints: list[Endpoint]) -> None:
    asking = {e.template for e in endpoints if e.method != "get" and e.role == "read"}
    assert {t for t in asking if not t.startswith("/grafana/json/")} == {"/api/token"}
    assert {e.role for e in commands_of(endpoints)} == {"operate", "admin"}
    assert {e.template for e in endpoints if e.role == "admin"} >= {
        "/api/audit",
        "/api/export/audit.csv",
    }


def commands_of(endpoints: list[Endpoint]) -> list[Endpoint]:
    """What changes something: all but reading, and asking by POST."""
    return [e for e in endpoints if e.method != "get" and e.role != "read"]


def newest(served: Served, count: int = 1) -> list[AuditRecord]:
    return Audit(served.daemon.database.read()).page(AuditFilter(), count).entries


@pytest.mark.requirement("U6", "S6")
@pytest.mark.parametrize("role", ROLES)
def test_every_command_leaves_exactly_one_entry(
    served: Served, endpoints: list[Endpoint], role: str
) -> None:
    commands = commands_of(endpoints)
    assert len(commands) >= 15
    audit, actions = Audit(served.daemon.database.read()), set()
    names = {"read": "dashboard", "operate": "on-call", "admin": "boss"}
    for endpoint in commands:
        before = audit.total(AuditFilter())
        status = ask(served, endpoint, role)
        assert audit.total(AuditFilter()) == before + 1, endpoint
        (entry,) = newest(served)
        assert entry.done_by == names[role]
        assert entry.reason == REASONS.get(status), (endpoint, status)
        assert entry.outcome == ("done" if status < 400 else "refused")
        if "nothing" in endpoint.path:
            assert entry.subject == "nothing"
        actions.add(entry.action)
    assert len(actions) == len(commands), "an action belongs to one endpoint"


@pytest.mark.requirement("U6")
def test_every_action_is_documented(served: Served, endpoints: list[Endpoint]) -> None:
    from tests.architecture.test_docs import DOCS

    for endpoint in commands_of(endpoints):
        ask(served, endpoint, "admin")
        assert f"`{newest(served)[0].action}`" in DOCS["api.md"], endpoint


@pytest.mark.requirement("U6")
def test_what_only_asks_by_post_leaves_no_entry(served: Served, endpoints: list[Endpoint]) -> None:
    before = Audit(served.daemon.database.read()).total(AuditFilter())
    for endpoint in endpoints:
        if endpoint.method != "get" and endpoint.role == "read":
            ask(served, endpoint, "read")
    assert Audit(served.daemon.database.read()).total(AuditFilter()) == before


@pytest.mark.requirement("U6")
def test_who_is_not_let_in_leaves_no_entry(served: Served) -> None:
    before = Audit(served.daemon.database.read()).total(AuditFilter())
    served.problem(401, "/api/pipelines/mailbox/pause", method="POST")
    served.problem(
        401, "/api/pipelines/mailbox/pause", method="POST", headers={"x-api-key": "no" * 9}
    )
    assert Audit(served.daemon.database.read()).total(AuditFilter()) == before
