"""A match over events, or over a closed vocabulary, leaves nothing out without saying so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from daemon import events

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("daemon/**/*.py"), *ROOT.glob("api/**/*.py")])
EVENTS = {
    name
    for name, kind in vars(events).items()
    if isinstance(kind, type) and issubclass(kind, events.Event)
}


def matches() -> Iterator[tuple[str, ast.Match]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Match):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def is_over_events(node: ast.Match) -> bool:
    patterns = [p for case in node.cases for p in ast.walk(case.pattern)]
    classes = [p.cls for p in patterns if isinstance(p, ast.MatchClass)]
    return any(ast.unparse(name).removeprefix("events.") in EVENTS for name in classes)


def is_over_a_vocabulary(node: ast.Match) -> bool:
    """Cases such as ``case Retry.YES``."""
    patterns = [p for case in node.cases for p in ast.walk(case.pattern)]
    return any(
        isinstance(p, ast.MatchValue) and isinstance(p.value, ast.Attribute) for p in patterns
    )


def leaves_nothing_out(node: ast.Match) -> bool:
    """Its last case takes everything, and is either never reached or refuses what does."""
    last = node.cases[-1]
    end = ast.unparse(last.body[-1])
    return not isinstance(last.pattern, ast.MatchClass | ast.MatchValue | ast.MatchOr) and (
        end.startswith(("assert_never(", "raise "))
    )


def test_every_match_over_events_or_a_vocabulary_ends_in_assert_never_or_a_refusal() -> None:
    found = [(at, m) for at, m in matches() if is_over_events(m) or is_over_a_vocabulary(m)]
    assert len(found) > 5
    assert [at for at, match in found if not leaves_nothing_out(match)] == []
