"""Mistakes in the mail configuration that its schema cannot see."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from daemon.config import is_loopback
from daemon.config.load import Settings
from daemon.config.secrets import Secrets, unreadable
from daemon.durable import open_regular
from daemon.errors import ConfigError, CredentialsMissing, Problem
from daemon.pipelines.functions import load_function
from daemon.pipelines.mail.categories import CategoryRule
from daemon.pipelines.mail.category_files import load_category_rules
from daemon.pipelines.mail.config import MailConfig, MailOAuth, MailSource

WHERE = "pipelines.mail"


def problems_of(config: MailConfig, settings: Settings) -> list[Problem]:
    """All mistakes, each with its place in the configuration."""
    problems: list[Problem] = []
    if config.mode == "process":
        # The secrets of accounts that are made by API are read where the store is.
        problems.append(
            Problem(f"{WHERE}.mode", 'accounts are processed in threads; expected "thread"')
        )
    for name, source in config.sources.items():
        problems += _of_source(f"{WHERE}.sources.{name}", source, settings)
    problems += _of_model(config, settings)
    return problems + _of_categories(config, settings)


def _of_source(where: str, source: MailSource, settings: Settings) -> Iterator[Problem]:
    if wrong := host_mistake(source.host):
        yield Problem(f"{where}.host", wrong)
    yield from _of_credentials(where, source, settings)
    if source.ca_file is not None:
        wrong = _authorities_mistake(settings.base / source.ca_file)
        if wrong:
            yield Problem(f"{where}.ca_file", f"the file {source.ca_file} {wrong}")
    if source.hours * 3600 > settings.config.store.retention:
        expected = (
            "looks back further than store.retention, so messages would be forgotten and done again; "
            "expected a longer retention"
        )
        yield Problem(f"{where}.hours", expected)


def host_mistake(host: str) -> str | None:
    """What is wrong with the name of a server; None when nothing is. An IPv6 address has more colons."""
    _, colon, port = host.partition(":")
    if colon and ":" not in port:
        return f"expected a host name without a port, got {host!r}; the port goes into `port`"
    return None


def _of_credentials(where: str, source: MailSource, settings: Settings) -> Iterator[Problem]:
    given = [source.password_env, source.password_file, source.oauth]
    if sum(way is not None for way in given) != 1:
        yield Problem(where, "expected exactly one of `password_env`, `password_file` and `oauth`")
    elif source.oauth is not None:
        yield from _of_oauth(f"{where}.oauth", source.oauth, source.enabled, settings)
    else:
        env, file = source.password_env, source.password_file
        yield from _of_secret(f"{where}.password", env, file, source.enabled, settings)


def _of_oauth(where: str, oauth: MailOAuth, enabled: bool, settings: Settings) -> Iterator[Problem]:
    token = (oauth.refresh_token_env, oauth.refresh_token_file)
    if (token[0] is None) == (token[1] is None):
        expected = "expected exactly one of `refresh_token_env` and `refresh_token_file`"
        yield Problem(where, expected)
    else:
        yield from _of_secret(f"{where}.refresh_token", *token, enabled, settings)
    secret = (oauth.client_secret_env, oauth.client_secret_file)
    if None not in secret:
        expected = "expected at most one of `client_secret_env` and `client_secret_file`"
        yield Problem(where, expected)
    elif secret != (None, None):
        yield from _of_secret(f"{where}.client_secret", *secret, enabled, settings)
    yield from _of_url(f"{where}.token_url", oauth.token_url)


def _of_secret(
    where: str, env: str | None, file: str | None, enabled: bool, settings: Settings
) -> Iterator[Problem]:
    """Whether the secret is there; that of an account which is switched off may come later."""
    if enabled and (wrong := _secret_mistake(settings.secrets, env, file, settings.base)):
        yield Problem(f"{where}_{'file' if env is None else 'env'}", wrong)


def _secret_mistake(secrets: Secrets, env: str | None, file: str | None, base: Path) -> str | None:
    try:
        secrets.read(env, file, base)
    except CredentialsMissing as missing:
        return str(missing)
    return None


def _of_url(where: str, url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        yield Problem(where, "expected an https:// address with a host")
    elif parts.scheme != "https" and not is_loopback(host):
        yield Problem(where, "expected https://; only loopback may be asked without encryption")
    elif parts.username is not None:
        yield Problem(where, "expected an address without a user name or password in it")


def _authorities_mistake(file: Path) -> str | None:
    try:
        with open_regular(file) as found:
            authorities = f"/proc/self/fd/{found.fileno()}"
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(authorities)
    except ssl.SSLError:
        return "holds no certificates in PEM form"
    except OSError:
        return "cannot be read"
    return None


def _of_model(config: MailConfig, settings: Settings) -> Iterator[Problem]:
    model, where = config.model, f"{WHERE}.model"
    if model is None:
        return
    yield from _of_url(f"{where}.base_url", model.base_url)
    if model.key_env is not None and model.key_file is not None:
        yield Problem(where, "expected at most one of `key_env` and `key_file`")
    elif model.key_env is not None or model.key_file is not None:
        yield from _of_secret(f"{where}.key", model.key_env, model.key_file, True, settings)


def _of_categories(config: MailConfig, settings: Settings) -> list[Problem]:
    problems: list[Problem] = []
    if config.categoriser is not None:
        try:
            load_function(config.categoriser, f"{WHERE}.categoriser", settings.base)
        except ConfigError as error:
            problems += error.problems
    extra = settings.base / config.categories if config.categories else None
    if extra is not None and (wrong := unreadable(extra)):
        return [*problems, Problem(f"{WHERE}.categories", wrong)]
    try:
        rules = load_category_rules(extra)
    except ConfigError as error:
        return problems + error.problems
    return problems + list(_of_labels(config, rules))


def _of_labels(config: MailConfig, rules: list[CategoryRule]) -> Iterator[Problem]:
    by_rules = {*(rule.category for rule in rules), config.fallback}
    if config.model is None and config.categoriser is None:
        for category in config.labels.keys() - by_rules:
            known = ", ".join(sorted(by_rules))
            yield Problem(f"{WHERE}.labels.{category}", f"is no category; expected one of {known}")
