"""Whether rules answer the examples that they state."""

from __future__ import annotations

import errno as errno_numbers
from collections.abc import Iterator, Sequence

import msgspec

from daemon.triage.facts import builtin_bases, describe
from daemon.triage.matching.classifier import Classifier
from daemon.triage.rules.rule import Example, Rule

ANY_PIPELINE = "own"
"""Stands for a pipeline that no bundled rule is bound to."""


class CheckedExample(msgspec.Struct, frozen=True, kw_only=True):
    """An example and the rule that answers it."""

    rule: str
    """The rule that states it."""
    message: str
    exception: str | None
    pipeline: str
    answered_by: str
    """Name of the rule that answers; ``unmatched`` when none does."""
    ok: bool


def check_examples(rules: Sequence[Rule]) -> Iterator[CheckedExample]:
    """Every example of the rules, all of which are considered."""
    classifier = Classifier(rules)
    for rule in rules:
        for given in rule.examples:
            example = Example(message=given) if isinstance(given, str) else given
            yield _checked(classifier, rule, example)


def _checked(classifier: Classifier, rule: Rule, example: Example) -> CheckedExample:
    pipeline = example.pipeline or (*rule.pipelines, ANY_PIPELINE)[0]
    error = describe(
        example.message,
        exception_type=example.exception,
        exception_bases=builtin_bases(example.exception),
        http_status=example.http_status,
        errno=getattr(errno_numbers, example.errno or "", None),
        sqlstate=example.sqlstate,
        error_class=example.error_class,
        imap_code=example.imap_code,
    )
    answer = classifier.classify(error, pipeline).name
    return CheckedExample(
        rule=rule.name,
        message=example.message,
        exception=example.exception,
        pipeline=pipeline,
        answered_by=answer,
        ok=answer == rule.name,
    )
