"""What a shell offers is what the commands take."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from daemon.cli.arguments import make_parser
from daemon.cli.completion import SHELLS, candidates
from daemon.cli.main import main
from daemon.taxonomy import FileStatus


def offered(*words: str) -> list[str]:
    return [found.word for found in candidates(make_parser(), words)]


def test_commands_actions_options_and_closed_values_are_offered() -> None:
    assert offered("fail") == ["failures"]
    assert offered("groups", "un") == ["unmerge"]
    assert offered("failures", "--cat") == ["--category"]
    assert offered("failures", "--pipeline", "failures", "--category", "rate") == ["rate_limit"]
    assert offered("files", "list", "--status", "") == [*FileStatus]
    assert offered("completion", "") == [*SHELLS]
    assert "--config" in offered("failures", "--json", "--")


def test_where_a_name_or_a_file_comes_nothing_is_offered() -> None:
    for words in (
        ["serve", "--config", ""],
        ["failures", "--limit", ""],
        ["run", ""],
        ["nothing", ""],
    ):
        assert [word for word in offered(*words) if words[0] != "nothing"] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_one_that_it_reads(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"completion {shell} --" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n", "/dev/stdin"], input=script, text=True, check=True)


def test_bash_completes_with_the_command_itself(capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    script = capsys.readouterr().out
    asked = f"""
triaged() {{ {sys.executable} -m daemon "$@"; }}
COMP_WORDS=(triaged groups re) COMP_CWORD=2
_triaged
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "-c", script + asked], capture_output=True, text=True, check=True
    )
    assert done.stdout == "resolve reopen\n"
