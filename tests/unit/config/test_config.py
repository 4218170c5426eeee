"""The configuration is checked whole: every mistake at once, with its key; secrets are never shown."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config import ApiKey, Config, Settings, is_loopback
from daemon.config.load import decode_config
from daemon.config.values import LONGEST, Duration, Listen, Size
from daemon.errors import ConfigError, Problem
from daemon.pipelines.ingest.config import IngestConfig
from daemon.pipelines.kinds import KINDS, load_settings
from daemon.pipelines.own.config import OwnConfig

VALUE = "correct-horse-battery-staple"
MINIMAL = '[pipelines.ingest.sources.orders]\nfiles = "*.csv"\ntable = "orders"\n'


def write(folder: Path, text: str) -> Path:
    file = folder / "triaged.toml"
    file.write_text(text)
    return file


def problems(folder: Path, text: str, **environ: str) -> dict[str, str]:
    """What is wrong, by key path."""
    with pytest.raises(ConfigError) as caught:
        load_settings(write(folder, text), environ)
    prefix = "triaged.toml: "
    return {p.where.removeprefix(prefix): p.expected for p in caught.value.problems}


def test_an_empty_file_is_a_configuration_with_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""), {})
    assert settings.config == Config()
    assert str(settings.config.server.listen) == "127.0.0.1:8080"
    assert settings.store_path == tmp_path.resolve() / "data/triaged.duckdb"
    assert settings.config.store.retention == 90 * 86400


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    text = """
        [server]
        listen = "[::1]:9000"
        grace = "1.5m"
        [store]
        path = "here/store.duckdb"
        memory_limit = "1GB"
        [pipelines.ingest]
        every = "250ms"
        [pipelines.ingest.sources."Orders.2026"]
        files = "in/*.csv"
        table = "orders"
        columns = { id = "BIGINT", "the amount" = "DECIMAL(10, 2)", tags = "VARCHAR[]" }
        [pipelines.nightly]
        run = "jobs:nightly"
        cron = "0 3 * * *"
        [pipelines.nightly.sources.one]
        options = { deep = { list = [1, 2.5, "x", 2026-11-22] } }
    """
    config = load_settings(write(tmp_path, text), {}).config
    assert config.server.listen == Listen("::1", 9000)
    assert (config.server.grace, config.store.memory_limit) == (90.0, 10**9)
    ingest, nightly = config.pipelines["ingest"], config.pipelines["nightly"]
    assert isinstance(ingest, IngestConfig)
    assert ingest.every == 0.25
    assert ingest.sources["Orders.2026"].columns == {
        "id": "BIGINT",
        "the amount": "DECIMAL(10, 2)",
        "tags": "VARCHAR[]",
    }
    assert isinstance(nightly, OwnConfig)
    assert nightly.sources["one"].options == {"deep": {"list": [1, 2.5, "x", date(2026, 11, 22)]}}


@pytest.mark.requirement("X2")
def test_every_mistake_is_reported_at_once_with_its_key(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        colour = "red"
        [server]
        listen = "nowhere"
        port = 80
        grace = "soon"
        [[server.keys]]
        role = "root"
        [store]
        retention = 90
        memory_limit = "much"
        [log]
        level = "loud"
        [metrics]
        max_sources = -1
        [pipelines]
        mail = "yes"
        [pipelines.Nightly]
        run = "no colon"
        every = "1h"
        cron = "0 3 * * *"
        concurrency = 0
        [pipelines.ingest]
        every = "5"
        [pipelines.ingest.sources.orders]
        table = "drop table"
        mode = "strict"
        settle = true
        columns = { id = "BIGINT; DROP TABLE x", "" = "INT" }
        [pipelines.ingest.sources."a/b"]
        files = ""
        table = "t"
        """,
    )
    assert set(found) == {
        "colour",
        "server.listen",
        "server.port",
        "server.grace",
        "server.keys[0].name",
        "server.keys[0].role",
        "store.retention",
        "store.memory_limit",
        "log.level",
        "metrics.max_sources",
        "pipelines.mail",
        "pipelines.Nightly",
        "pipelines.Nightly.run",
        "pipelines.Nightly.concurrency",
        "pipelines.ingest.every",
        "pipelines.ingest.sources.orders.files",
        "pipelines.ingest.sources.orders.table",
        "pipelines.ingest.sources.orders.mode",
        "pipelines.ingest.sources.orders.settle",
        "pipelines.ingest.sources.orders.columns.id",
        "pipelines.ingest.sources.orders.columns.",
        "pipelines.ingest.sources.a/b",
        "pipelines.ingest.sources.a/b.files",
    }
    assert found["server.port"].startswith(
        "unknown key; expected one of body_timeout, connections, grace, header_timeout"
    )
    assert "missing" in found["pipelines.ingest.sources.orders.files"]
    assert "90d" in found["store.retention"]
    assert "got 'soon'" in found["server.grace"]


@pytest.mark.requirement("X2")
@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ('[pipelines.a]\nrun="a:b"\nevery="1h"\ncron="0 3 * * *"', "pipelines.a", "both"),
        (
            '[store]\npath="x.db"\n[pipelines.ingest]\ndatabase="./y/../x.db"',
            "pipelines.ingest.database",
            "same file",
        ),
        ('[server]\nlisten="0.0.0.0:80"', "server.listen", "other machines"),
        ('[server]\nlisten="[::]:80"', "server.listen", "other machines"),
        ('[server]\nlisten="example.com:80"', "server.listen", "other machines"),
        ("pipelines = 3", "pipelines", "table"),
        ("server = []", "server", "table"),
        ("[pipelines.ingest]\nsources = 5", "pipelines.ingest.sources", "expected"),
        ("[[pipelines.ingest.sources]]", "pipelines.ingest.sources", "expected"),
        ('[server]\nkeys = "none"', "server.keys", "expected"),
        ('[pipelines.a]\nrun="a:b"\nmode="task"', "pipelines.a.mode", "task"),
        (
            '[pipelines.a]\nrun="a:b"\nrun_time_limit="5m"',
            "pipelines.a.run_time_limit",
            'mode = "process"',
        ),
        (
            '[pipelines.a]\nrun="a:b"\nmode="process"\nrun_memory_limit="10MB"',
            "pipelines.a.run_memory_limit",
            "64MB",
        ),
    ],
)
def test_a_mistake_says_where_it_is_and_what_was_expected(
    tmp_path: Path, text: str, where: str, words: str
) -> None:
    found = problems(tmp_path, text)
    assert list(found) == [where]
    assert words in found[where]


@pytest.mark.requirement("X2")
@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ('[log]\nlevel="warn"', "log.level", "expected one of debug, error, info, warning, got 'warn'"),
        ("[pipelines.ingest]\nconcurrency=0", "pipelines.ingest.concurrency", "expected a whole number from 1 to 64, got 0"),
        ("[metrics]\nmax_sources=-1", "metrics.max_sources", "expected a whole number of 0 or more, got -1"),
        ("[server]\nkeys_file=3", "server.keys_file", "expected text that is not empty, got 3"),
        ("[server]\nhosts=[1]", "server.hosts[0]", "expected text, got 1"),
        ("[pipelines.ingest]\nsources=5", "pipelines.ingest.sources", "expected a table, got 5"),
        ('[server]\nkeys="none"', "server.keys", "expected a list, got 'none'"),
        ('[store]\npath="~nobody-here/x"', "store.path", "expected a path (~ is for a home folder, and there is none of that name), got '~nobody-here/x'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_words_with_what_is_allowed(
    tmp_path: Path, text: str, where: str, expected: str
) -> None:
    assert problems(tmp_path, text) == {where: expected}


def test_a_key_that_is_nearly_right_is_recognised(tmp_path: Path) -> None:
    found = problems(tmp_path, '[server]\nlisen = "x"\n[servr]\n')
    assert found["server.lisen"].endswith("did you mean listen?")
    assert found["servr"].endswith("did you mean server?")


def test_a_tilde_in_a_path_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    text = """
        [store]
        path = "~/store.duckdb"
        key_file = "~/k"
        [server]
        keys_file = "~/keys.json"
        [triage]
        rules = "~/rules.toml"
        [pipelines.ingest]
        database = "~/w.duckdb"
        sources.a = { files = "~/in/*.csv", table = "~tilde" }
    """
    (found,) = problems(tmp_path, text)
    assert found == "pipelines.ingest.sources.a.table"  # a name is no path
    settings = load_settings(write(tmp_path, text.replace("~tilde", "t")), {})
    ingest = settings.config.pipelines["ingest"]
    assert isinstance(ingest, IngestConfig)
    assert [
        str(path) for path in (settings.store_path, settings.keys_path, settings.secret_key_path)
    ] == ["/home/ann/store.duckdb", "/home/ann/keys.json", "/home/ann/k"]
    assert str(settings.rules_path) == "/home/ann/rules.toml"
    assert (ingest.database, ingest.sources["a"].files) == (
        "/home/ann/w.duckdb",
        "/home/ann/in/*.csv",
    )


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbfsixteen-letters-1")
    file = tmp_path / "triaged.toml"
    file.write_bytes(
        b'\xef\xbb\xbf[[server.keys]]\nname = "ops"\nkey_file = "key"\n[log]\nlevel = "debug"\n'
    )
    settings = load_settings(file, {})
    assert settings.config.log.level == "debug"
    assert settings.keys[0].value == "sixteen-letters-1"


def test_utf_16_is_named(tmp_path: Path) -> None:
    file = tmp_path / "triaged.toml"
    file.write_bytes("[log]\n".encode("utf-16"))
    with pytest.raises(ConfigError, match="is UTF-16; save it as UTF-8"):
        load_settings(file, {})


# --- secrets -----------------------------------------------------------------------------------

KEY = '[[server.keys]]\nname = "ops"\nrole = "operate"\n'


@pytest.mark.requirement("X2", "F6")
def test_secrets_come_from_the_environment_or_a_file_and_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(f"  {VALUE}2\n")
    text = KEY + 'key_env = "KEY"\n' + KEY.replace("ops", "other") + 'key_file = "key.txt"\n'
    settings = load_settings(write(tmp_path, text), {"KEY": VALUE})
    assert settings.keys == (
        ApiKey("ops", "operate", VALUE),
        ApiKey("other", "operate", f"{VALUE}2"),
    )
    for shown in (repr(settings), str(settings), repr(settings.keys), f"{settings.keys[0]}"):
        assert VALUE not in shown
        assert "ops" in shown


@pytest.mark.requirement("X2")
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "_env"),
        ('key_env = "KEY"\nkey_file = "key.txt"', "one of"),
        ('key_env = "UNSET"', "UNSET is not set"),
        ('key_env = "SHORT"', "16 characters"),
        ('key_file = "nowhere.txt"', "nowhere.txt cannot be read"),
        ('key_file = "empty.txt"', "empty.txt is empty"),
        ('key_file = "binary.txt"', "cannot be read"),
        ('key_file = "."', "cannot be read"),
    ],
)
def test_a_secret_that_cannot_be_had_is_told_without_its_value(
    tmp_path: Path, more: str, words: str
) -> None:
    (tmp_path / "key.txt").write_text(VALUE)
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    found = problems(tmp_path, KEY + more, KEY=VALUE, SHORT="tooshort")
    assert list(found) == ["server.keys[0]"]
    assert words in found["server.keys[0]"]
    for value in (VALUE, "tooshort"):
        assert value not in str(found)


def test_a_key_in_the_file_itself_is_refused_and_not_repeated(tmp_path: Path) -> None:
    found = problems(tmp_path, KEY + f'key = "{VALUE}"')
    assert "unknown key" in found["server.keys[0].key"]
    assert VALUE not in str(found)


def test_keys_let_the_server_listen_elsewhere(tmp_path: Path) -> None:
    text = '[server]\nlisten = "0.0.0.0:80"\n' + KEY + 'key_env = "KEY"\n'
    assert load_settings(write(tmp_path, text), {"KEY": VALUE}).config.server.listen.port == 80


def test_files_are_found_from_where_the_configuration_really_is(tmp_path: Path) -> None:
    real, elsewhere = tmp_path / "real", tmp_path / "etc"
    real.mkdir()
    elsewhere.mkdir()
    (real / "key.txt").write_text(VALUE)
    link = elsewhere / "triaged.toml"
    link.symlink_to(write(real, KEY + 'key_file = "key.txt"\n'))
    settings = load_settings(link, {})
    assert settings.base == real.resolve()
    assert settings.keys[0].value == VALUE


# --- files that are no configuration -----------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"[server",
        b"a = 1\na = 2",
        b"x = " + b"[" * 50_000,
        b"x = " + b"9" * 5_000,
        b"[pipelines.a]\nrun = 'a:b'\nconcurrency = 0x" + b"f" * 9_000,
    ],
)
def test_a_file_that_is_no_toml_is_one_clear_mistake(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "triaged.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {})
    assert len(caught.value.problems) == 1
    assert "triaged.toml" in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(file))


def test_a_file_that_is_not_there_or_is_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(tmp_path / "nowhere.toml", {})
    with pytest.raises(ConfigError, match="folder"):
        load_settings(tmp_path, {})


# --- any table at all --------------------------------------------------------------------------

scalars = st.one_of(
    st.text(max_size=12),
    st.integers(),
    st.builds(lambda: 1 << 20_000),
    st.floats(),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.sampled_from(["1h", "127.0.0.1:1", "64MB", "a:b", "* * * * *", "x" * 500]),
)
keys = st.sampled_from(
    [
        *(
            "server",
            "store",
            "log",
            "triage",
            "metrics",
            "pipelines",
            "ingest",
            "sources",
            "listen",
        ),
        *("keys", "name", "role", "key_env", "path", "retention", "level", "rules", "max_sources"),
        *("every", "cron", "concurrency", "run", "options", "files", "table", "columns", "enabled"),
        *("", "x y", "a.b", "A", "nightly", "\n", "ä"),
    ]
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)
tables = st.dictionaries(keys, anything, max_size=5)
sections = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("server", "store", "log", "triage", "metrics"), tables | anything),
        "pipelines": st.dictionaries(
            keys, st.fixed_dictionaries({"sources": st.dictionaries(keys, tables)}) | tables
        ),
    },
)


@pytest.mark.requirement("X2")
@settings(max_examples=40, deadline=None)
@given(data=sections | tables)
def test_any_table_is_a_configuration_or_a_list_of_mistakes(data: dict[str, Any]) -> None:
    config, found = decode_config(data, KINDS.record_of)
    assert (config is None) == bool(found)
    if config is None:
        assert all(isinstance(problem, Problem) and problem.expected for problem in found)
        assert all(len(problem.expected) < 400 for problem in found)
    else:
        assert isinstance(config, Config)
        msgspec.json.encode(config, enc_hook=str)


@settings(max_examples=15, deadline=None)
@given(data=sections)
def test_any_unknown_key_is_refused(data: dict[str, Any]) -> None:
    _, found = decode_config({**data, "sever": {}}, KINDS.record_of)
    assert [p.where for p in found if p.expected.startswith("unknown key") and p.where == "sever"]


# --- values with a unit ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("1.5m", 90), ("1h", 3600), ("90d", 7776000)],
)
def test_durations_are_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "0s", "0.0ms", "-1s", "5", "5 s", "s", "1.s", ".5s", "1e3s", "1w", "infs", "nans"),
        *("36501d", "9" * 400 + "s", 5, 1.5, True, None, time(1), datetime(2026, 1, 1, tzinfo=UTC)),
        *([], {}),
    ],
)
def test_what_is_no_duration_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        Duration.parse(text)


def test_the_longest_duration_does_not_overflow_a_calendar() -> None:
    assert Duration.parse("36500d") == LONGEST


@pytest.mark.parametrize(
    "text", ["", "0MB", "64", "64 MB", "64mb", "1.5GB", "-1GB", "9" * 99 + "B", 64]
)
def test_what_is_no_size_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="size"):
        Size.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "8080", ":8080", "localhost", "::1:80", "[::1]", "a:b", "a:65536", "a:-1", "a:1 ", 80],
)
def test_what_is_no_address_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="address"):
        Listen.parse(text)


@given(
    host=st.sampled_from(["127.0.0.1", "localhost", "::1", "example.com"]),
    port=st.integers(0, 65535),
)
def test_an_address_is_shown_as_it_is_written(host: str, port: int) -> None:
    listen = Listen(host, port)
    assert Listen.parse(str(listen)) == listen


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        (str(IPv4Address(0)), False),
        ("::", False),
        ("192.168.1.1", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_the_bundled_example_is_valid() -> None:
    example = Path(__file__).parents[3] / "examples/triaged.toml"
    settings = load_settings(example, {})
    assert isinstance(settings, Settings)
    assert set(settings.config.pipelines) == set(tomllib.loads(example.read_text())["pipelines"])
