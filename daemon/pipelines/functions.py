"""A user's own pipeline: a Python callable named in the configuration."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.errors import ConfigError, Problem
from daemon.pipelines.own_modules import hidden_modules
from daemon.triage import describe


def load_function(name: str, where: str, base: Path) -> Callable[..., Any]:
    """The callable `module:function`, found beside the configuration file or installed.

    Raises `ConfigError` naming the key and what kept the function from being loaded.
    """
    module_name, _, attribute = name.partition(":")
    if hidden := hidden_modules(module_name, base.resolve()):
        raise ConfigError([Problem(where, str(module)) for module in hidden])
    folder = str(base.resolve())
    if folder not in sys.path:
        sys.path.append(folder)  # not before others: triaged's own imports are nobody else's
    try:
        module = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise  # somebody who waits no longer
    except BaseException as error:  # whatever a module raises says that it cannot be used
        reason = f"{type(error).__name__}: {describe(error).message}"
        raise ConfigError([Problem(where, f"cannot import {module_name!r}: {reason}")]) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise ConfigError(
            [Problem(where, f"the module {module_name!r} has no function {attribute!r}")]
        )
    if wrong := _mistake(function):
        raise ConfigError([Problem(where, f"{attribute!r} of {module_name!r} {wrong}")])
    return function  # type: ignore[no-any-return]


def _mistake(function: Callable[..., Any]) -> str | None:
    """Why a call with one argument could not come to anything; None when it can."""
    for called in (function, type(function).__call__):
        if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
            return "is asynchronous, and would not be awaited; expected an ordinary function"
        if inspect.isgeneratorfunction(called):
            return "has a yield in it, so a call runs nothing; expected an ordinary function"
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        return f"cannot be called with one argument ({error}); expected a function of one"
    except ValueError:  # what is written in C need not say what it takes
        return None
    return None
