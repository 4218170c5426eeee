"""From an error as it reached us to an error understood."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

from daemon import events
from daemon.triage.assessment import Assessment
from daemon.triage.grouping import fingerprint, normalise
from daemon.triage.hints import retry_hint
from daemon.triage.masking import redaction
from daemon.triage.matching.classifier import Classifier
from daemon.triage.retry import Retry
from daemon.triage.rules.files import load_rules
from daemon.triage.rules.rule import Rule
from daemon.truncation import (
    MAX_FULL_TEXT_BYTES,
    MAX_INPUT_CHARS,
    MAX_MESSAGE_BYTES,
    clip,
    truncate,
)

_LONGEST_COLUMN = 64
_REMEMBERED = 512
"""Errors whose assessment is kept: what breaks a thousand items says the same each time."""
_LONGEST_REMEMBERED = 4096
"""Characters of an error that may be kept, so that they never come to more than 2 MB."""


class Triage:
    """Classifies, masks, truncates and groups errors. Immutable; threads may share it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.classifier = Classifier(rules)
        self._remembered = lru_cache(_REMEMBERED)(self._assess)

    @classmethod
    def load(cls, extra: Path | None = None) -> Triage:
        """With the bundled rules and those of the user's file, whose rules override by name.

        Raises ConfigError that lists every mistake of the file with its place.
        """
        return _of_bundled_rules() if extra is None else cls(load_rules(extra, examples=False))

    def assess(
        self, error: events.ErrorInfo, *, pipeline: str, step: str, column: str | None = None
    ) -> Assessment:
        """Everything that may be stored, logged and shown of the error.

        `step` is the run's state, `column` the column concerned where there is one.
        """
        short = len(error.message) + len(error.text) <= _LONGEST_REMEMBERED
        return (self._remembered if short else self._assess)(error, pipeline, step, column)

    def _assess(
        self, error: events.ErrorInfo, pipeline: str, step: str, column: str | None
    ) -> Assessment:
        rule = self.classify(error, pipeline)
        retry = rule.retry
        masked = self.mask(error.message)
        message = truncate(masked, MAX_MESSAGE_BYTES)
        normalised = normalise(message)
        return Assessment(
            category=rule.category,
            retry=retry,
            strategy=rule.waiting,
            retry_after=_pause(error) if retry is Retry.YES else None,
            rule=rule.name,
            user_message=_about(rule.user_message, column),
            suggested_action=_about(rule.suggested_action, column),
            message=message,
            full_text=self._full_text(error, masked, message),
            exception_type=error.exception_type,
            failure_group=fingerprint(pipeline, step, rule.category, rule.name, column, normalised),
            normalised_message=normalised,
        )

    def classify(self, error: events.ErrorInfo, pipeline: str) -> Rule:
        """The rule that recognises the error; the one named ``unmatched`` when none does."""
        return self.classifier.classify(error, pipeline)

    @staticmethod
    def mask(text: str) -> str:
        """The text without anything personal or secret."""
        return redaction.mask(clip(text, MAX_INPUT_CHARS))

    def _full_text(self, error: events.ErrorInfo, masked: str, message: str) -> str | None:
        full = self.mask(error.text) if error.text else masked
        return None if full == message else truncate(full, MAX_FULL_TEXT_BYTES)


@cache
def _of_bundled_rules() -> Triage:
    """One for all who need no other rules: building it takes half of a daemon's start."""
    return Triage(load_rules(examples=False))


def _pause(error: events.ErrorInfo) -> float | None:
    """What a header said counts, or else what the text says."""
    return retry_hint(error.message) if error.retry_after is None else error.retry_after


def _about(sentence: str, column: str | None) -> str:
    """Fills in the column, the only thing from outside that advice may name."""
    if "{column}" not in sentence:
        return sentence
    name = redaction.mask(column or "").replace("\n", " ").strip()
    shown = f'column "{truncate(name, _LONGEST_COLUMN)}"' if name else "a column"
    filled = sentence.replace("{column}", shown)
    return filled[:1].upper() + filled[1:]
