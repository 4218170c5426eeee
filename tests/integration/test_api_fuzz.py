"""The OpenAPI description holds: what it allows is accepted, what it does not is refused as it says.

Schemathesis makes the requests, good and bad ones, from the description that the server gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS

from tests.integration.api_server import running

EXAMPLES = 25
OPAQUE = {"/api/ingestions/{name}/rejected"}
"""Endpoints whose cursor cannot be described: text that looks like one may be refused all the same."""


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running(tmp_path_factory.mktemp("api")) as (_, url):
        yield schemathesis.openapi.from_url(f"{url}/schema/openapi.json")


described = schemathesis.pytest.from_fixture("description")


@pytest.mark.requirement("F1", "X4")
@described.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_api_does_what_its_description_says(case: schemathesis.Case) -> None:
    excluded = CHECKS.get_by_names(["positive_data_acceptance"]) if case.path in OPAQUE else []
    case.call_and_validate(checks=CHECKS.get_all(), excluded_checks=excluded)
