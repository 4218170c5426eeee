"""Imports point one way, and each library has its place."""

from __future__ import annotations

import pytest

from tests.architecture.source_tree import IMPORTS, SOURCES, module_name, within

PLACES = {
    "duckdb": ("daemon.store", "daemon.pipelines.ingest"),
    "prometheus_client": ("daemon.metrics",),
    "apscheduler": ("daemon.scheduler",),
    "litestar": ("api",),
    "uvicorn": ("daemon.cli",),
    "h11": ("daemon.cli.connections",),
    "rich": ("daemon.cli",),
    "websockets": ("daemon.cli",),
    "re2": ("daemon.triage",),
    "imapclient": ("daemon.pipelines.mail",),
    "httpx": ("daemon.pipelines.mail",),
    "cryptography": ("daemon.accounts.sealing",),
}
"""Libraries, and the only packages that may import them."""

FORBIDDEN = {
    # What the API may use of a daemon it is offered by name.
    "api": {"daemon.cli", "daemon.service"},
    # Protocols of sockets are named in the server's configuration, and not built upon.
    "daemon.cli": {"uvicorn.protocols.websockets"},
    "daemon.triage": {
        "daemon.store",
        "daemon.recorder",
        "daemon.pipelines",
        "daemon.config",
        "api",
    },
    "daemon.store": {
        "daemon.recorder",
        "daemon.runners",
        "daemon.scheduler",
        "daemon.metrics",
        "api",
    },
    "daemon.pipelines": {
        "daemon.store",
        "daemon.recorder",
        "daemon.runners",
        "daemon.scheduler",
        "daemon.metrics",
        "daemon.live",
        "daemon.triage.triage",
        "daemon.triage.matching.classifier",
        "api",
    },
    "daemon.config": {"daemon.pipelines", "daemon.store", "daemon.recorder", "api"},
    # The configuration checks keys when it is loaded.
    "daemon.access.keys_file": {"daemon.config", "daemon.store", "api"},
    "daemon.access.checks": {"daemon.config", "daemon.store", "api"},
    "daemon.accounts": {"daemon.metrics", "daemon.service", "api"},
    "daemon.live": {"daemon.store", "daemon.recorder", "api"},
    "daemon.events": {"daemon.store", "daemon.recorder", "daemon.runners", "api"},
}
"""What a package may not import, at any depth below the names given."""


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 50
    assert ("api.app", "litestar") in {(m, name.split(".")[0]) for m, name in IMPORTS}


@pytest.mark.parametrize("library", PLACES)
def test_a_library_is_imported_only_in_its_place(library: str) -> None:
    strays = [
        f"{module} imports {name}"
        for module, name in IMPORTS
        if within(name, library) and not any(within(module, place) for place in PLACES[library])
    ]
    assert strays == []


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_does_not_import_what_is_built_upon_it(package: str) -> None:
    strays = [
        f"{module} imports {name}"
        for module, name in IMPORTS
        if within(module, package)
        and any(within(name, forbidden) for forbidden in FORBIDDEN[package])
    ]
    assert strays == []


def test_the_core_of_the_store_knows_no_ledger_and_no_pipeline() -> None:
    beyond = ("daemon.store.ledgers", "daemon.pipelines")
    strays = [
        f"{module} imports {name}"
        for module, name in IMPORTS
        if within(module, "daemon.store")
        and not within(module, "daemon.store.ledgers")
        and any(within(name, package) for package in beyond)
    ]
    assert strays == []


def test_of_the_daemon_only_its_commands_import_the_api() -> None:
    importers = {m for m, name in IMPORTS if within(m, "daemon") and within(name, "api")}
    assert "daemon.cli.serve" in importers
    assert [m for m in importers if not within(m, "daemon.cli")] == []


def test_the_product_imports_nothing_that_is_not_installed_with_it() -> None:
    beside = ("alerts", "dashboards", "deploy", "examples", "tests")
    assert [m for m, name in IMPORTS if any(within(name, package) for package in beside)] == []


def test_only_the_configuration_reads_the_environment() -> None:
    readers = {
        module_name(path)
        for path in SOURCES
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
    }
    # A command asks its terminal for colours and its user for the key of a remote daemon.
    others = {m for m in readers if not within(m, "daemon.config")}
    assert others <= {"daemon.cli.client", "daemon.cli.terminal"}


def test_nothing_but_the_clock_reads_the_time() -> None:
    telling = ("time.time(", "time.monotonic(", "datetime.now(", "datetime.utcnow(")
    readers = {
        module_name(path) for path in SOURCES if any(call in path.read_text() for call in telling)
    }
    # A command's own terminal is not the daemon: it may look at the machine's clock.
    assert {m for m in readers if not within(m, "daemon.cli")} == {"daemon.clock"}


def test_modules_stay_small() -> None:
    lengths = sorted(len(path.read_text().splitlines()) for path in SOURCES)
    assert lengths[len(lengths) // 2] < 150
    assert lengths[-1] <= 450
