"""`triaged check-config`: every mistake, with its key, in one go."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from daemon.cli import main

GOOD = """
[pipelines.ingest]
every = "1m"
[pipelines.ingest.sources.orders]
files = "inbox/*.csv"
table = "orders"
[pipelines.ingest.sources.old]
files = "old/*.csv"
table = "old"
enabled = false
[pipelines.nightly]
run = "jobs:nightly"
cron = "0 3 * * *"
"""

BAD = """
nonsense = 1
[server]
listen = "everywhere"
[store]
retention = "long"
[triage]
rules = "rules.toml"
[pipelines.ingest]
every = "5 minutes"
[pipelines.nightly]
run = "jobs:missing"
cron = "0 25 * * *"
[pipelines.other]
run = "no_such_module:f"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "jobs.py").write_text("def nightly(run): ...\n")
    (tmp_path / "rules.toml").write_text('[[rule]]\nname = "x"\ncategory = "nonsense"\n')
    return tmp_path / "triaged.toml"


@pytest.mark.requirement("X2")
def test_a_good_configuration_is_summed_up_and_nothing_is_made(config, capsys):
    config.write_text(GOOD)
    before = set(config.parent.rglob("*.duckdb"))
    assert main(["check-config", str(config)]) == 0
    shown = capsys.readouterr().out
    for text in ("every 1 min", "orders, old (disabled)", "at 0 3 * * * (UTC)", "no mistakes"):
        assert text in shown
    assert set(config.parent.rglob("*.duckdb")) == before
    assert not (config.parent / "data").exists()


@pytest.mark.requirement("X2")
@pytest.mark.parametrize(
    "mistake",
    [
        "triaged.toml: nonsense: unknown key",
        "triaged.toml: server.listen: expected an address and port",
        "triaged.toml: store.retention: expected a duration",
        "triaged.toml: pipelines.ingest.every: expected a duration",
        "triaged.toml: pipelines.nightly.cron: expected five fields",
        "triaged.toml: pipelines.nightly.run: the module 'jobs' has no function 'missing'",
        "triaged.toml: pipelines.other.run: cannot import 'no_such_module'",
        "rules.toml: rule[1] 'x'.category",
    ],
)
def test_one_mistake_does_not_hide_another(config, capsys, mistake):
    config.write_text(BAD)
    assert main(["check-config", str(config)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert sum(line.startswith(f"triaged: {mistake}") for line in lines) == 1


@pytest.mark.requirement("X2")
def test_serve_refuses_what_the_check_refuses_and_makes_nothing(product):
    product.configure('[pipelines.nightly]\nrun = "no_such_module:f"\ncron = "0 25 * * *"\n')
    checked = product.command("check-config", str(product.config))
    served = product.command("serve", "--config", str(product.config))
    assert (checked.returncode, served.returncode) == (2, 2)
    assert len(served.stderr.splitlines()) == 2
    assert served.stderr == checked.stderr
    assert not (product.folder / "data").exists()


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_a_module_that_leaves_the_program_is_a_mistake(config, capsys, mode):
    (config.parent / f"leaves_{mode}.py").write_text("import sys\nsys.exit(0)\n")
    config.write_text(f'[pipelines.nightly]\nrun = "leaves_{mode}:f"\nmode = "{mode}"\n')
    assert main(["check-config", str(config)]) == 2
    assert f"cannot import 'leaves_{mode}': SystemExit: 0" in capsys.readouterr().err


def test_authorities_that_are_a_fifo_are_a_mistake_and_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "ca.pem")
    (tmp_path / "pw").write_text("hunter2")
    file = tmp_path / "triaged.toml"
    file.write_text(
        '[pipelines.mail.sources.a]\nhost = "imap.example.com"\nusername = "a@example.com"\n'
        'password_file = "pw"\nca_file = "ca.pem"\n'
    )
    assert main(["check-config", str(file)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_module_that_raises_what_is_no_exception_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "panics.py").write_text("import asyncio\nraise asyncio.CancelledError('away')\n")
    file = tmp_path / "triaged.toml"
    file.write_text('[pipelines.own]\nrun = "panics:check"\n')
    assert main(["check-config", str(file)]) == 2
    assert "cannot import 'panics': CancelledError: away" in capsys.readouterr().err


def test_json_says_the_same(config, capsys):
    config.write_text(BAD)
    assert main(["check-config", "--json", str(config)]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["valid"] is False
    assert {"where", "expected"} == set(answer["problems"][0])
    config.write_text(GOOD)
    assert main(["check-config", "--json", str(config)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["valid"], answer["problems"]) == (True, [])
    assert answer["pipelines"][0]["sources"] == ["orders"]


@pytest.mark.parametrize("text", [None, "[", "\udcff"])
def test_what_is_no_toml_file_is_one_mistake(config, capsys, text):
    if text is not None:
        config.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert main(["check-config", str(config)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_bundled_example_has_no_mistakes(capsys):
    example = Path(__file__).parents[3] / "examples" / "triaged.toml"
    assert main(["check-config", str(example)]) == 0
    assert "orders, events, inventory, customers, payments" in capsys.readouterr().out


def test_a_mail_account_is_judged_by_the_retention_though_another_part_has_mistakes(config, capsys):
    account = (
        '[pipelines.mail.sources.a]\nhost = "x"\nusername = "a"\nenabled = false\nhours = 4000\n'
    )
    text = f'[server]\nlisten = "nowhere"\n{account}password_env = "PW"\n'
    config.write_text(text)
    assert main(["check-config", str(config)]) == 2
    assert "store.retention" in capsys.readouterr().err
    config.write_text(f'[store]\nretention = "365d"\n{text}')
    assert main(["check-config", str(config)]) == 2
    assert "store.retention" not in capsys.readouterr().err


FUNCTIONS = """
import functools
def nothing(): ...
def two(run, more): ...
def named(*, run): ...
async def later(run): ...
def stepwise(run):
    yield
class Later:
    async def __call__(self, run): ...
later_too = Later()
def good(run, more=None): ...
bound = functools.partial(two, more=1)
everything = lambda *given: None
class Job:
    def __init__(self, run): ...
"""


@pytest.mark.requirement("X5", "X2")
@pytest.mark.parametrize(
    ("function", "wrong"),
    [
        ("nothing", "cannot be called with one argument"),
        ("two", "cannot be called with one argument"),
        ("named", "cannot be called with one argument"),
        ("later", "is asynchronous"),
        ("later_too", "is asynchronous"),
        ("stepwise", "has a yield in it"),
        ("good", None),
        ("bound", None),
        ("everything", None),
        ("Job", None),
    ],
)
def test_a_function_that_could_not_be_called_or_would_do_nothing_is_told(
    config, capsys, function, wrong
):
    (config.parent / "kinds_of_functions.py").write_text(FUNCTIONS)
    config.write_text(f'[pipelines.own]\nrun = "kinds_of_functions:{function}"\n')
    assert main(["check-config", str(config)]) == (2 if wrong else 0)
    assert (f"{function!r} of 'kinds_of_functions' {wrong}" in capsys.readouterr().err) == bool(
        wrong
    )


@pytest.mark.requirement("X2")
@pytest.mark.parametrize("mode", ["thread", "process"])
@pytest.mark.parametrize(
    ("source", "code", "told"),
    [
        ("print('set PGPASS'); raise SystemExit(1)", 2, ("SystemExit: 1", "set PGPASS")),
        ("import os; os._exit(0)", 2, ("Python ends with code 0",)),
        ("raise KeyboardInterrupt", 2, ("cannot be loaded", "KeyboardInterrupt")),
        (
            "import sys; print('hello'); print('there', file=sys.stderr)\ndef f(run): ...",
            0,
            ("prints when it is imported", "hello", "there"),
        ),
        (
            "print('\\x1b[31mDB_PASSWORD=hunter2secret joe@example.com\\r')\ndef f(run): ...",
            0,
            ("prints when it is imported", "DB_PASSWORD=***"),
        ),
        ("open('beside.txt')\ndef f(run): ...", 0, ()),
    ],
)
def test_what_a_module_prints_or_ends_with_is_told_and_reaches_nothing_else(
    config, capfd, mode, source, code, told
):
    (config.parent / "beside.txt").write_text("")
    (config.parent / "at_import.py").write_text(source)
    config.write_text(f'[pipelines.own]\nrun = "at_import:f"\nmode = "{mode}"\n')
    assert main(["check-config", "--json", str(config)]) == code
    out, err = capfd.readouterr()
    answer = json.loads(out)
    said = [p["expected"] for p in (*answer["problems"], *answer["notes"])]
    assert not any("hunter2" in text or "joe@" in text or "\x1b" in text for text in said)
    assert all(any(text in line for line in said) for text in told)
    assert err == ""


@pytest.mark.requirement("X2")
@pytest.mark.parametrize("text", ["", "# nothing\n", '[log]\nlevel = "debug"\n'])
def test_that_nothing_would_run_is_told(config, capsys, text):
    config.write_text(text)
    assert main(["check-config", str(config)]) == 0
    assert "pipelines: there are none, so nothing would run" in capsys.readouterr().err


ALL_AT_ONCE = """
[triage]
rules = "not-there.toml"
[pipelines.ingest]
every = "soon"
[pipelines.ingest.sources.a]
files = "inbox"
table = "a"
mode = "strict"
[pipelines.mail]
every = "5m"
categories = "not-there-either.toml"
[pipelines.mail.sources.one]
host = "imap.example.com:993"
username = "one"
password_env = "NOT_SET"
hours = 0
[pipelines.mail.sources.two]
host = "fe80::1"
username = "two"
password_env = 5
"""


@pytest.mark.requirement("X2")
def test_every_mistake_is_told_at_once_and_none_that_only_comes_of_another(config, capsys):
    (config.parent / "inbox").mkdir()
    config.write_text(ALL_AT_ONCE)
    assert main(["check-config", "--json", str(config)]) == 2
    told = {p["where"]: p["expected"] for p in json.loads(capsys.readouterr().out)["problems"]}
    assert {where.removeprefix("triaged.toml: ") for where in told} == {
        "triage.rules",
        "pipelines.ingest.every",
        "pipelines.ingest.sources.a.files",
        "pipelines.ingest.sources.a.mode",
        "pipelines.mail.categories",
        "pipelines.mail.sources.one.host",
        "pipelines.mail.sources.one.hours",
        "pipelines.mail.sources.one.password_env",
        "pipelines.mail.sources.two.password_env",
    }
    assert "is a folder" in told["triaged.toml: pipelines.ingest.sources.a.files"]
    assert "the port goes into `port`" in told["triaged.toml: pipelines.mail.sources.one.host"]
    assert "No such file" in told["triaged.toml: triage.rules"]
