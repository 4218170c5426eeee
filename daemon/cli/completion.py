# ruff: noqa: SLF001 what a parser takes, argparse tells in no other way
"""`triaged completion`: a script for a shell, which asks this very command what may come next.

So what is completed is what the installed version takes, and is said in one place: the parser.
"""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_SCRIPTS = {
    "bash": """\
_triaged() {
    local IFS=$'\\n'
    COMPREPLY=($("${COMP_WORDS[0]}" completion bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _triaged triaged
""",
    "zsh": """\
#compdef triaged
_triaged() {
    local -a found
    found=(${(f)"$(${words[1]} completion zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then compadd -- $found; else _files; fi
}
if [ "$funcstack[1]" = _triaged ]; then _triaged "$@"; else compdef _triaged triaged; fi
""",
    "fish": """\
function __triaged
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] completion fish -- $words[2..] 2>/dev/null)
    if set -q found[1]
        string join \\n -- $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c triaged -f -a '(__triaged)'
""",
}
SHELLS = tuple(_SCRIPTS)


class Completion(NamedTuple):
    """What may come next."""

    word: str
    about: str


def run(args: Namespace) -> int:
    """Prints the script, or what may follow the words of a line, the last of which is being typed."""
    from daemon.cli.arguments import make_parser

    if not args.words:
        print(_SCRIPTS[args.shell], end="")
        return 0
    for word, about in candidates(make_parser(), args.words):
        print(f"{word}\t{about}" if args.shell == "fish" else word)
    return 0


def candidates(parser: ArgumentParser, words: Sequence[str]) -> list[Completion]:
    """What the last of the words may become; nothing where it is a text, a number or a file."""
    *before, typed = words
    awaited: Action | None = None
    for word in before:
        commands = _commands(parser)
        if awaited is None and commands is not None and word in commands.choices:
            parser = commands.choices[word]
        awaited = _awaiting_value(parser, word) if awaited is None else None
    return [found for found in _possible(parser, awaited, typed) if found.word.startswith(typed)]


def _possible(parser: ArgumentParser, awaited: Action | None, typed: str) -> Iterator[Completion]:
    if awaited is not None:
        yield from (Completion(str(choice), "") for choice in awaited.choices or ())
    elif typed.startswith("-"):
        for action in parser._actions:
            yield from (Completion(option, action.help or "") for option in action.option_strings)
    elif (commands := _commands(parser)) is not None:
        yield from (Completion(a.dest, a.help or "") for a in commands._get_subactions())
    else:
        for action in parser._get_positional_actions():
            yield from (Completion(str(choice), "") for choice in action.choices or ())


def _commands(parser: ArgumentParser) -> _SubParsersAction[ArgumentParser] | None:
    found = [a for a in parser._actions if isinstance(a, _SubParsersAction)]
    return found[0] if found else None


def _awaiting_value(parser: ArgumentParser, word: str) -> Action | None:
    """The option that the word names, if its value comes next."""
    action = parser._option_string_actions.get(word)
    return action if action is not None and action.nargs != 0 else None
