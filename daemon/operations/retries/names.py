"""The true names of items, which the store shows masked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from daemon.store.build import item_key
from daemon.store.retries import Target


def true_names(
    targets: Sequence[Target], candidates: Iterable[str] | None = None
) -> dict[int, str | None]:
    """By failure id, the name of an item as its pipeline knows it; None where it is not known.

    A name with something personal in it is stored masked, and recognised by its key among the
    `candidates`. A run itself has no name.
    """
    names = {target.failure_id: _plain(target) for target in targets}
    masked = {t.item_key: t for t in targets if t.item is not None and not names[t.failure_id]}
    if masked and candidates is not None:
        where = targets[0].pipeline, targets[0].source
        for name in candidates:
            if found := masked.get(item_key(*where, name)):
                names[found.failure_id] = name
    return names


def wanted_messages(targets: Sequence[Target]) -> frozenset[str] | None:
    """The names of mail messages as far as they are known; None if none is, or the run itself is a target.

    A message of a mailbox that the account stood for before has none: it must not keep others from being retried.
    """
    if any(target.item is None for target in targets):
        return None
    return frozenset(name for name in true_names(targets).values() if name) or None


def _plain(target: Target) -> str | None:
    key = item_key(target.pipeline, target.source, target.item)
    return target.item if key == target.item_key else None
