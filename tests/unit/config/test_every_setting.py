"""Each documented setting is taken, with a value that is not its default, and somebody looks at it."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.config.values import Duration, Size
from daemon.errors import ConfigError
from daemon.pipelines.kinds import load_settings
from tests.architecture.source_tree import SOURCES
from tests.generated import tables

ROOT = Path(__file__).parents[3]
OTHERWISE = {
    "server.listen": '"127.0.0.1:8099"',
    "server.keys": '[{ name = "ann", key_env = "KEY" }]',
    "server.hosts": '["triage.lan"]',
    "server.proxy": '{ user_header = "X-User" }',
    "server.proxy.user_header": '"X-Other"',
    "server.proxy.addresses": '["10.0.0.1"]',
    "server.keys.name": '"bob"',
    "server.keys.key_env": '"OTHER_KEY"',
}
"""Values where the type alone does not tell one."""
NEEDED = {
    "server.hosts": '[server.proxy]\nuser_header = "X-User"\n',
    "server.proxy": "",
    "server.keys": "",
}


class Setting(typing.NamedTuple):
    """A row of the reference."""

    header: str
    field: Any

    @property
    def path(self) -> str:
        return f"{self.header.strip('[]')}.{self.field.name}"


def settings() -> Iterator[Setting]:
    for header, record in tables():
        for field in msgspec.structs.fields(record):
            yield Setting(header, field)


CORE = [setting for setting in settings() if not setting.path.startswith("pipelines.")]


def other_value(setting: Setting) -> str:  # noqa: PLR0911 (one for each type)
    """A value in TOML that is not the default."""
    if setting.path in OTHERWISE:
        return OTHERWISE[setting.path]
    kind = setting.field.type
    plain = [part for part in (kind, *typing.get_args(kind)) if part is not type(None)]
    default = setting.field.default
    if any(typing.get_origin(part) is typing.Literal for part in plain):
        literal = next(part for part in plain if typing.get_origin(part) is typing.Literal)
        return json.dumps(next(v for v in typing.get_args(literal) if v != default))
    if Duration in plain:
        return '"36h"' if setting.path != "store.retention" else '"30d"'
    if Size in plain:
        return '"96MB"'
    if bool in plain:
        return json.dumps(not default)
    if isinstance(default, int) and not isinstance(default, bool):
        return str(default + 1)
    return '"other.file"'


def configured(setting: Setting) -> str:
    """A configuration with this one setting."""
    if setting.header.startswith("[["):
        named = {"name": '"ann"', "key_env": '"KEY"'} | {setting.field.name: other_value(setting)}
        if setting.field.name == "key_file":
            del named["key_env"]
        lines = "\n".join(f"{key} = {value}" for key, value in named.items())
        return f"{setting.header}\n{lines}\n"
    text = f"{setting.header}\n{setting.field.name} = {other_value(setting)}\n"
    if setting.header == "[server.proxy]" and setting.field.name != "user_header":
        text += 'user_header = "X-User"\n'
    return text + NEEDED.get(setting.path, "")


def found(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = config[0] if isinstance(config, tuple) else config
        config = getattr(config, name)
    return config


@pytest.mark.requirement("S8")
@pytest.mark.parametrize("setting", CORE, ids=lambda setting: setting.path)
def test_a_documented_setting_is_taken(setting: Setting, tmp_path: Path) -> None:
    file = tmp_path / "triaged.toml"
    file.write_text(configured(setting))
    for name in ("other.file", "other.rules"):
        (tmp_path / name).write_text("an-api-key-of-some-length")
    environ = {"KEY": "an-api-key-of-some-length", "OTHER_KEY": "another-api-key-of-length"}
    loaded = load_settings(file, environ, check_keys=False)
    assert found(loaded.config, setting.path) != setting.field.default


def test_somebody_looks_at_every_setting() -> None:
    apart = re.compile(r"config/schema\.py|pipelines/\w+/config\.py")
    code = "\n".join(path.read_text() for path in SOURCES if not apart.search(str(path)))
    unseen = [
        setting.path
        for setting in settings()
        if not re.search(rf"\.{setting.field.name}\b|[\"']{setting.field.name}[\"']", code)
    ]
    assert unseen == []


SNIPPETS = [
    pytest.param(match[1], id=f"{path.name}-{number}")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for number, match in enumerate(re.finditer(r"```toml\n(.*?)```", path.read_text(), re.DOTALL))
    if re.search(r"^\[(server|store|log|triage|retry|metrics|pipelines)", match[1], re.MULTILINE)
]


@pytest.mark.requirement("S8")
@pytest.mark.parametrize("snippet", SNIPPETS)
def test_what_the_docs_show_of_a_configuration_has_no_unknown_key(
    snippet: str, tmp_path: Path
) -> None:
    file = tmp_path / "triaged.toml"
    file.write_text(snippet)
    said = ""
    try:
        load_settings(file, {}, check_keys=False)
    except ConfigError as error:
        said = str(error)  # what else a part lacks does not matter
    assert "unknown key" not in said
    assert "not valid TOML" not in said
