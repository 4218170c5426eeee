"""Words are only a shortcut: the index finds exactly the patterns that match on their own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.triage.matching.literals import needs
from daemon.triage.matching.patterns import PatternIndex, Searched, search_set
from daemon.triage.rules.files import BUNDLED, load_rules, parse_rules

CORPORA = sorted(Path("tests/corpus").glob("*.jsonl"))

words = st.text("abAB1 -", min_size=1, max_size=4).map(re.escape)
odd = st.sampled_from([r"\b", "^", "$", ".", r"\d", r"\w", "[ab]", "[^a]", r"\x41", "(?i)", r"\pL"])
expressions = st.recursive(
    words | odd,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda found: f"({'|'.join(found)})"),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.tuples(
            inner, st.sampled_from(["?", "*", "+", "{2}", "{0,2}", "{1,}", "*?", "{0,9}?"])
        ).map(lambda found: f"(?:{found[0]}){found[1]}"),
        st.tuples(inner, inner).map(".{0,3}".join),
    ),
    max_leaves=8,
)


def found_by_index(index: PatternIndex, text: str) -> set[int]:
    searched = Searched.of(text)
    candidates = index.candidates(searched)
    return {owner for owner, numbers in candidates.items() if index.any_in(numbers, searched)}


def found_one_by_one(expressions: list[str], text: str) -> set[int]:
    matching = enumerate(expressions)
    return {n for n, expression in matching if search_set(expression).Match(text) is not None}


@settings(max_examples=300, deadline=None)
@given(
    chosen=st.lists(expressions, min_size=1, max_size=5),
    texts=st.lists(st.text("abAB1 -\n", max_size=12), min_size=1, max_size=8),
)
def test_the_index_finds_what_each_pattern_finds_alone(chosen: list[str], texts: list[str]) -> None:
    index = PatternIndex(chosen, range(len(chosen)))
    for text in texts:
        assert found_by_index(index, text) == found_one_by_one(chosen, text)


@pytest.fixture(scope="module")
def bundled() -> list[str]:
    return [pattern for rule in load_rules() for pattern in rule.patterns]


@pytest.fixture(scope="module")
def alone(bundled: list[str]) -> re2.Set:
    """All bundled patterns at once, without an index."""
    return search_set(*bundled, memory=256 * 1024 * 1024)


@pytest.fixture(scope="module")
def index(bundled: list[str]) -> PatternIndex:
    return PatternIndex(bundled, range(len(bundled)))


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda path: path.stem)
def test_the_index_of_the_bundled_rules_misses_nothing_in_real_messages(
    corpus: Path, alone: re2.Set, index: PatternIndex
) -> None:
    for line in corpus.read_text("utf-8").splitlines()[:200]:
        text = json.loads(line)["message"]
        assert found_by_index(index, text) == set(alone.Match(text) or ())


def test_almost_every_bundled_pattern_names_words_to_look_for(bundled: list[str]) -> None:
    wordless = [pattern for pattern in bundled if not needs(pattern).all]
    assert len(wordless) < len(bundled) / 100, wordless


@pytest.mark.parametrize("file", sorted(f.name for f in BUNDLED.iterdir() if f.suffix == ".toml"))
def test_bundled_rule_files_are_held_to_what_users_are_held_to(file: str) -> None:
    assert parse_rules(BUNDLED.joinpath(file).read_text("utf-8"), file)
