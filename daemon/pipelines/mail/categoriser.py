"""Decides what a message is: a function of the user's, header rules, a model, or none of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import msgspec

from daemon.config.load import Settings
from daemon.errors import TriagedError
from daemon.pipelines.functions import load_function
from daemon.pipelines.mail.categories import CategoryChoice, CategoryRule, HeaderRules
from daemon.pipelines.mail.category_files import load_category_rules
from daemon.pipelines.mail.config import MailConfig
from daemon.pipelines.mail.headers import Headers
from daemon.pipelines.mail.message import FetchedMessage
from daemon.pipelines.mail.model import ModelSession

_CATEGORY = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")


class MailMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as an own categoriser sees it: no body."""

    headers: Mapping[str, str]
    """Decoded fields by name in any case; those that are fetched."""
    received: datetime
    size: int
    """Bytes."""
    flags: frozenset[str]


OwnCategoriser = Callable[[MailMessage], str | None]


class CategoriserError(TriagedError):
    """The own categoriser returned something that is not a category."""


class Categoriser:
    """Everything that decides about messages. Threads may share it."""

    def __init__(
        self,
        config: MailConfig,
        rules: Sequence[CategoryRule],
        own: OwnCategoriser | None = None,
        new_model: Callable[[], ModelSession] | None = None,
    ) -> None:
        self._config = config
        self._rules = HeaderRules(rules)
        self._own = own
        self._new_model = new_model

    @classmethod
    def of(cls, config: MailConfig, settings: Settings) -> Categoriser:
        """As it is configured. Raises `ConfigError`."""
        extra = settings.base / config.categories if config.categories else None
        rules = load_category_rules(extra)
        own = None
        if config.categoriser is not None:
            own = load_function(config.categoriser, "pipelines.mail.categoriser", settings.base)
        model = config.model
        if model is None:
            return cls(config, rules, own)
        names = known_categories(config, rules)

        def new_model() -> ModelSession:
            return ModelSession(model, names, settings.secrets, settings.base)

        return cls(config, rules, own, new_model)

    @contextmanager
    def session(self) -> Iterator[CategorySession]:
        """What decides during one run."""
        model = self._new_model() if self._new_model else None
        try:
            yield CategorySession(self._config, self._rules, self._own, model)
        finally:
            if model is not None:
                model.close()


class CategorySession:
    """What decides about the messages of one run."""

    def __init__(
        self,
        config: MailConfig,
        rules: HeaderRules,
        own: OwnCategoriser | None,
        model: ModelSession | None,
    ) -> None:
        self._config = config
        self._rules = rules
        self._own = own
        self._model = model

    def decide(self, message: FetchedMessage) -> CategoryChoice:
        """What the message is, and which label it gets.

        Raises what the own function or the model fails with, and `HeadersTooLong`, which concern this message only, and
        `ModelPaused` for a message that is to be left for the next run.
        """
        headers = Headers.parse(message.headers, message.long_headers)
        if self._own is not None and (category := self._ask_own(self._own, message, headers)):
            return self._decision(category, "own")
        rule = self._rules.match(headers)
        if rule is not None:
            return self._decision(rule.category, rule.name, rule.label)
        if self._model is not None:
            return self._decision(self._model.categorise(headers), "model")
        return self._decision(self._config.fallback, "fallback")

    def _ask_own(
        self, own: OwnCategoriser, message: FetchedMessage, headers: Headers
    ) -> str | None:
        category = own(
            MailMessage(
                headers=headers,
                received=message.received,
                size=message.size,
                flags=message.flags,
            )
        )
        if category is None or (isinstance(category, str) and _CATEGORY.fullmatch(category)):
            return category
        raise CategoriserError

    def _decision(self, category: str, rule: str, label: str | None = None) -> CategoryChoice:
        if label is None:
            label = label_of(self._config, category)
        return CategoryChoice(category, rule, label or None)


def label_of(config: MailConfig, category: str) -> str:
    """The label of a category; empty when none is written."""
    return config.labels.get(category, "" if category == config.fallback else category)


def known_categories(config: MailConfig, rules: Sequence[CategoryRule]) -> list[str]:
    """Every category that rules or settings name."""
    return sorted({*(rule.category for rule in rules), *config.labels, config.fallback})
