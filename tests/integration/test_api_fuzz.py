"""The OpenAPI description holds: what it allows is accepted, what it does not is refused as it says.

Schemathesis makes the requests, good and bad ones, from the description that the server gives.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.api_server import running

EXAMPLES = 20
SECONDS = 240

EXCEPTIONS = """
[[operations]]
include-name = "GET /api/ingestions/{name}/rejected"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /api/retries"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "^/(api/report|grafana)/"
checks.positive_data_acceptance.enabled = false
"""
"""A cursor that no pattern describes: text that looks like one may be refused all the same. Three
fields of which exactly one has to be there. And lists of values in one text, from vocabularies that depend
on what is asked for, with ranges that hold more stretches than are counted."""


@pytest.mark.slow
@pytest.mark.requirement("F1", "X4")
def test_the_api_does_what_its_description_says(tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(EXCEPTIONS)
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"),
        *("--phases", "coverage,fuzzing", "--max-examples", str(EXAMPLES)),
        "--generation-deterministic",
        *("--no-color", "--warnings", "off"),
    ]
    with running(tmp_path) as (_, url):
        done = subprocess.run(
            [*command, f"{url}/schema/openapi.json"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=tmp_path,
        )
    assert done.returncode == 0, done.stdout + done.stderr
