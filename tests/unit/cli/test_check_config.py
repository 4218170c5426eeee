"""`triaged check-config`: every mistake, with its key, in one go."""

from __future__ import annotations

import json
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
