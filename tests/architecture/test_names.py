"""A name says which of several like things one is in."""

from __future__ import annotations

from collections import defaultdict

from tests.architecture.source_tree import classes

SHARED = {
    # A row of the table of that name: as it is inserted, and as a report answers with it.
    "CycleRow",
    "FailureRow",
    "GroupRow",
    "RunRow",
    # The event of the core, and the answer in the API's description that tells of it.
    "CycleStarted",
}
"""Names that two classes have for a reason."""


def test_no_two_public_classes_have_one_name_without_a_reason() -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for module, node in classes():
        if not node.name.startswith("_"):
            found[node.name].append(module)
    shared = {name: modules for name, modules in found.items() if len(modules) > 1}
    assert {name: modules for name, modules in shared.items() if name not in SHARED} == {}
    assert SHARED - shared.keys() == set(), "these need no reason any more"
