"""How `triaged classify --explain` looks to a person."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.cli.terminal import printable
from daemon.triage.explain import Considered, Evidence, Explanation


def show_explanation(explanation: Explanation) -> None:
    """Prints what matched, what stood lower, and what nearly matched."""
    print()
    if explanation.matched is None:
        print("no rule matches")
    else:
        _show(f"matched in the {explanation.looked_at}", [explanation.matched])
    _show("matches too, but stands lower", explanation.lower)
    _show("nearly matches", explanation.nearly)
    _show("has its words in the text", explanation.words_only)


def _show(title: str, rules: Sequence[Considered]) -> None:
    if not rules:
        return
    print(f"{title}:")
    for rule in rules:
        why = f": {rule.why}" if rule.why else ""
        print(f"  {printable(rule.rule)} ({rule.category}){printable(why)}")
        for evidence in rule.evidence:
            print(
                f"    {evidence.kind} {printable(evidence.condition)}{printable(_found(evidence))}"
            )


def _found(evidence: Evidence) -> str:
    if evidence.kind != "patterns":
        return ""
    return f"  in  {evidence.found or 'a part that is masked'}"
