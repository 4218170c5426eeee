"""Packages stand in layers, and import only from those below: no two need each other."""

from __future__ import annotations

from collections.abc import Iterator

from tests.architecture.source_tree import MODULES, run_time_imports

LAYERS = [
    {
        "daemon",
        "daemon.clock",
        "daemon.durable",
        "daemon.errors",
        "daemon.formulas",
        "daemon.truncation",
    },
    {"daemon.interpreter", "daemon.parts", "daemon.taxonomy", "daemon.version"},
    {"daemon.events", "daemon.ids", "daemon.item_key", "daemon.logs", "daemon.topics"},
    {"daemon.access", "daemon.event_codec", "daemon.live", "daemon.triage"},
    {"daemon.config"},
    {"daemon.pipelines"},
    {"daemon.runners", "daemon.store"},
    {
        "daemon.accounts",
        "daemon.gate",
        "daemon.idle_runs",
        "daemon.journal",
        "daemon.standing",
        "daemon.summary",
    },
    {"daemon.metrics"},
    {"daemon.recorder"},
    {"daemon.audit", "daemon.work"},
    {"daemon.cycles"},
    {"daemon.clock_watch", "daemon.scheduler"},
    {"daemon.retry"},
    {"daemon.operations"},
    {"daemon.health"},
    {"daemon.composition"},
    {"daemon.service"},
    # The API: what all resources share, the resources, and what puts them together.
    {"api.body_words"},
    {
        "api",
        "api.head",
        "api.negotiation",
        "api.origin",
        "api.problems",
        "api.streaming",
        "api.tags",
    },
    {"api.proxied"},
    {"api.query", "api.schemas", "api.security"},
    {"api.bodies", "api.description", "api.known", "api.trail"},
    {"api.listed"},
    {"api.filters"},
    {"api.routes"},
    {
        "api.audit",
        "api.backup",
        "api.export",
        "api.failures",
        "api.health",
        "api.page",
        "api.pipelines",
        "api.runs",
    },
    {"api.account_details", "api.groups", "api.retries", "api.statistics", "api.unclassified"},
    {"api.accounts", "api.ingestions", "api.report", "api.status"},
    {"api.files", "api.grafana", "api.rejected", "api.sockets"},
    {"api.app"},
    {"daemon.cli"},
    {"daemon.__main__"},
]
"""From the bottom up: the packages, and modules that are in none, right below `daemon` and `api`."""


def unit(module: str) -> str:
    """The package or module right below `daemon` or `api` that a module belongs to."""
    return ".".join(module.split(".")[:2])


UNITS = {unit(module) for module in MODULES}
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}


def arrows() -> Iterator[tuple[str, str]]:
    for module, path in MODULES.items():
        for name in run_time_imports(path):
            if unit(name) in UNITS and unit(name) != unit(module):
                yield module, name


def test_every_package_has_its_layer() -> None:
    assert sorted(HEIGHT) == sorted(UNITS), "say in LAYERS what a new package stands on"
    assert sum(map(len, LAYERS)) == len(HEIGHT)


def test_a_package_imports_only_what_is_in_the_layers_below() -> None:
    found = list(arrows())
    assert ("api.app", "daemon.composition.offered") in found
    strays = [
        f"{module} imports {name}"
        for module, name in found
        if HEIGHT.get(unit(module), 0) <= HEIGHT.get(unit(name), 0)
    ]
    assert strays == []
