"""Reads the TOML file, checks all of it, and resolves secrets: the only place that reads the environment."""

from __future__ import annotations

import os
import tomllib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from daemon.access.checks import key_problems
from daemon.access.keys_file import KeysFile
from daemon.access.roles import LOCAL, NOT_A_KEYS_NAME
from daemon.config.decode import decode_table, join
from daemon.config.schema import Config, ConfigTable, KeyConfig, Name, PipelineConfig
from daemon.config.secrets import Secrets, resolve_secret
from daemon.errors import ConfigError, Problem

RecordOf = Callable[[str], type[PipelineConfig]]
"""The record that a pipeline of some name is configured by."""


_LEAST_MEMORY = 64 * 1000**2


class ApiKey(msgspec.Struct, frozen=True):
    """A key with its value. Its repr does not show the value."""

    name: str
    role: str
    value: str

    def __repr__(self) -> str:
        return f"ApiKey({self.name!r}, {self.role!r})"


class Settings(msgspec.Struct, frozen=True):
    """A checked configuration with what it refers to."""

    config: Config
    file: Path
    keys: tuple[ApiKey, ...] = ()
    secrets: Secrets = Secrets()
    """What is looked up when it is needed, such as passwords of mail accounts."""

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.file.parent

    @property
    def store_path(self) -> Path:
        return self.base / self.config.store.path

    @property
    def keys_path(self) -> Path:
        """The file that `triaged token` keeps keys in."""
        given = self.config.server.keys_file
        return self.base / given if given else self.store_path.parent / "keys.json"

    @property
    def secret_key_path(self) -> Path:
        """The file of the key that secrets given by API are encrypted with."""
        given = self.config.store.key_file
        return self.base / given if given else self.store_path.parent / "secret.key"

    @property
    def rules_path(self) -> Path | None:
        """The user's rule file, if there is one."""
        rules = self.config.triage.rules
        return self.base / rules if rules else None


_Sections = msgspec.defstruct(
    "_Sections",
    [(name, Any, None) for name in Config.__struct_fields__],
    bases=(ConfigTable,),
    frozen=True,
    kw_only=True,
)
"""The file, whatever is in its tables: the type of a pipeline's depends on its name."""


def load(
    file: Path,
    record_of: RecordOf,
    environ: Mapping[str, str] | None = None,
    *,
    check_keys: bool = True,
) -> Settings:
    """The settings in `file`. Raises `ConfigError` with every mistake.

    Who is about to make the keys that the configuration needs asks not to `check_keys`; then those that
    are somewhere else need not be there. The environment is the process's own where none is given.
    """
    environ = os.environ if environ is None else environ
    config, problems = decode_config(parse_file(file), record_of)
    if config is None:
        raise ConfigError(in_file(file, problems))
    base = file.resolve().parent
    keys, missing = _resolve_keys(config.server.keys, base, environ)
    settings = Settings(config, file.resolve(), keys, Secrets(environ))
    problems = _check_paths(settings)
    if check_keys:
        problems += missing + _check_keys(settings)
    if problems:
        raise ConfigError(in_file(file, problems))
    return settings


def parse_file(file: Path) -> dict[str, Any]:
    """What the TOML file says, with or without a byte order mark. Raises `ConfigError`."""
    try:
        content = file.read_bytes()
        return tomllib.loads(content.decode("utf-8-sig"))
    except FileNotFoundError:
        wrong = "no such file"
    except IsADirectoryError:
        wrong = "is a folder; expected a TOML file"
    except UnicodeDecodeError as error:
        wrong = f"not UTF-8 at byte {error.start}; TOML files are UTF-8"
        if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            wrong = "is UTF-16; save it as UTF-8, which TOML files are"
    except tomllib.TOMLDecodeError as error:
        wrong = f"not valid TOML: {error}"
    except (ValueError, RecursionError):
        wrong = "not valid TOML: a number too long or tables nested too deep"
    except OSError as error:
        wrong = f"cannot be read: {error.strerror}"
    raise ConfigError([Problem(str(file), wrong)])


def decode_config(data: dict[str, Any], record_of: RecordOf) -> tuple[Config | None, list[Problem]]:
    """The configuration in `data`, or None and all mistakes."""
    config, problems = decode_sound_part(data, record_of)
    return (None if problems else config), problems


def decode_sound_part(data: dict[str, Any], record_of: RecordOf) -> tuple[Config, list[Problem]]:
    """What can be used of the configuration in `data`, and all mistakes in the rest."""
    _, problems = decode_table(data, _Sections, "")
    known = {key: data[key] for key in data if key in Config.__struct_fields__}
    pipelines, found = _decode_pipelines(known.pop("pipelines", {}), record_of)
    problems += found
    values: dict[str, Any] = {"pipelines": pipelines}
    for field in msgspec.structs.fields(Config):
        if field.name in known:
            value, found = decode_table(known[field.name], field.type, field.name)
            problems += found
            if value is not None:
                values[field.name] = value
    return Config(**values), problems


def _decode_pipelines(
    data: Any, record_of: RecordOf
) -> tuple[dict[str, PipelineConfig], list[Problem]]:
    if not isinstance(data, dict):
        return {}, [Problem("pipelines", "expected a table of pipelines")]
    pipelines, problems = {}, []
    for name, table in data.items():
        where = join("pipelines", name)
        config, found = decode_table(table, record_of(name), where)
        problems += found
        problems += _check_name(name, where)
        if isinstance(table, dict) and table.get("every") and table.get("cron"):
            problems.append(Problem(where, "has both `every` and `cron`; expected one of them"))
        if config is not None:
            pipelines[name] = config
            problems += _check_limits(config, where)
    return pipelines, problems


def _check_limits(config: PipelineConfig, where: str) -> list[Problem]:
    """Nothing can take memory or time away from a thread; and a process needs some memory for itself."""
    memory, seconds = config.run_memory_limit, config.run_time_limit
    if config.mode == "process":
        if memory is None or memory >= _LEAST_MEMORY:
            return []
        return [Problem(f"{where}.run_memory_limit", 'expected "64MB" or more')]
    limits = {"run_memory_limit": memory, "run_time_limit": seconds}
    expected = 'limits a process, not a thread; expected mode = "process" too'
    return [
        Problem(f"{where}.{key}", expected) for key, limit in limits.items() if limit is not None
    ]


def _check_name(name: str, where: str) -> list[Problem]:
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError:
        return [Problem(where, "expected a name of lower-case letters, digits, - and _")]
    return []


def _resolve_keys(
    keys: tuple[KeyConfig, ...], base: Path, environ: Mapping[str, str]
) -> tuple[tuple[ApiKey, ...], list[Problem]]:
    resolved: list[ApiKey] = []
    problems = []
    for number, key in enumerate(keys):
        where = f"server.keys[{number}]"
        value, wrong = resolve_secret(key.key_env, key.key_file, base, environ)
        if wrong:
            problems.append(Problem(where, wrong))
        elif len(value) < 16:
            problems.append(Problem(where, "the key is too short; expected 16 characters or more"))
        if key.name == LOCAL:
            problems.append(Problem(where, f"{NOT_A_KEYS_NAME}; expected another name"))
        elif key.name in {other.name for other in resolved}:
            problems.append(Problem(where, f"the name {key.name} is taken; expected another"))
        resolved.append(ApiKey(key.name, key.role, value))
    return tuple(resolved), problems


def _check_keys(settings: Settings) -> list[Problem]:
    server = settings.config.server
    return key_problems(
        KeysFile(settings.keys_path),
        [key.name for key in server.keys],
        str(server.listen),
        loopback=is_loopback(server.listen.host),
        hosts=bool(server.hosts) and server.proxy is None,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_paths(settings: Settings) -> list[Problem]:
    expected = "is the same file as store.path; expected a database of its own"
    return [
        Problem(f"pipelines.{name}.{key}", expected)
        for name, config in settings.config.pipelines.items()
        for key, path in config.databases.items()
        if (settings.base / path).resolve() == settings.store_path.resolve()
    ]


def in_file(file: Path, problems: list[Problem]) -> list[Problem]:
    """Problems of key paths as those of a file."""
    return [replace(p, where=f"{file.name}: {p.where}" if p.where else file.name) for p in problems]
