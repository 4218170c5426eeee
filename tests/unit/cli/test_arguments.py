"""The command line explains itself."""

from __future__ import annotations

import pytest

from daemon.cli import main
from daemon.cli.arguments import make_parser
from daemon.version import VERSION

COMMANDS = [
    "serve", "run", "check-config", "failures", "runs", "watch", "classify", "unclassified", "rules", "accounts"
]  # fmt: skip


def test_triaged_alone_says_what_it_can(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example_that_parses(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    examples = [line.removeprefix("example:  triaged ") for line in lines if "example:" in line]
    assert examples
    for example in examples:
        words = example.partition(" > ")[0].replace('"', "").split()
        if command != "classify":
            assert make_parser().parse_args(words).command == command


def test_the_version_is_shown(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"triaged {VERSION}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["serve"],
        ["failures", "--limit", "0"],
        ["failures", "--category", "nonsense"],
        ["failures", "--json", "--csv"],
        ["failures", "--url", "http://127.0.0.1:1", "--config", "x.toml"],
        ["classify"],
        ["rules"],
        ["rules", "list", "--rules", "a.toml", "--config", "b.toml"],
        ["classify", "message", "--jsonl", "-"],
    ],
)
def test_mistakes_on_the_command_line_end_with_code_2(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err
