"""Own functions beside modules whose names are taken: refused with what to rename, never the wrong one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from daemon.errors import ConfigError
from daemon.pipelines.functions import load_function
from daemon.pipelines.own_modules import hidden_modules


def write(base: Path, sources: dict[str, str]) -> None:
    for name, source in sources.items():
        file = base / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)


def said(base: Path, module: str) -> list[str]:
    return [str(hidden) for hidden in hidden_modules(module, base)]


@pytest.mark.parametrize("name", ["api", "daemon"])
def test_a_module_of_our_name_is_refused_with_what_to_rename(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: "def sync(run): pass"})
    (told,) = said(tmp_path, name)
    assert told == (
        f"{name}.py has the name of a module of triaged itself; expected another name, "
        f"such as my_{name}.py"
    )


@pytest.mark.parametrize(
    "line",
    [
        "import api",
        "import api.client",
        "from api import client",
        "from api.client import get",
        "def later():\n    import api",
        "import importlib\nclient = importlib.import_module('api.client')",
        "client = __import__('api')",
    ],
)
def test_a_job_that_would_get_our_module_for_its_own_is_refused(tmp_path: Path, line: str) -> None:
    write(tmp_path, {"jobs_a": line, "api/client": "def get(): pass"})
    (told,) = said(tmp_path, "jobs_a")
    assert told == (
        "api has the name of a module of triaged itself, and jobs_a.py would get that one; "
        "expected another name, such as my_api"
    )


def test_what_is_imported_by_what_is_imported_counts(tmp_path: Path) -> None:
    sources = {
        "jobs_b": "from shop_b import orders",
        "shop_b/__init__": "",
        "shop_b/orders": "from . import client",
        "shop_b/client": "from .deeper import thing\nimport logging",
        "logging": "",
    }
    write(tmp_path, sources)
    (hidden,) = hidden_modules("jobs_b", tmp_path)
    assert (hidden.name, hidden.importer) == ("logging", tmp_path / "shop_b/client.py")
    assert "of Python itself" in str(hidden)


def test_an_installed_package_of_that_name_is_told_too(tmp_path: Path) -> None:
    write(tmp_path, {"jobs_c": "import rich", "rich": ""})
    assert "an installed package, and jobs_c.py would get that one" in said(tmp_path, "jobs_c")[0]


def test_names_that_nobody_imports_or_that_nobody_else_has_are_fine(tmp_path: Path) -> None:
    sources = {
        "jobs_d": "import json, helpers_d, not_there, broken_d",
        "helpers_d": "import jobs_d",
        "api": "never imported",
        "broken_d": "def",
    }
    write(tmp_path, sources)
    assert said(tmp_path, "jobs_d") == []


def test_a_package_of_ones_own_may_have_a_module_of_our_name(tmp_path: Path) -> None:
    jobs = "from shop_e import api\ndef run(run): return api.n"
    write(tmp_path, {"shop_e/__init__": "", "shop_e/jobs": jobs, "shop_e/api": "n = 5"})
    assert said(tmp_path, "shop_e.jobs") == []
    assert load_function("shop_e.jobs:run", "where", tmp_path)(None) == 5


def test_a_function_is_not_loaded_from_the_wrong_module(tmp_path: Path) -> None:
    write(tmp_path, {"api": "def sync(run): pass"})
    with pytest.raises(ConfigError) as refused:
        load_function("api:sync", "pipelines.shop.run", tmp_path)
    (problem,) = refused.value.problems
    assert problem.where == "pipelines.shop.run"
    assert "my_api.py" in problem.expected


def test_modules_beside_the_configuration_take_no_name_from_others(tmp_path: Path) -> None:
    """What triaged imports later is not theirs, whatever their names are."""
    write(tmp_path, {"jobs_f": "def run(run): return 1", "this": "raise RuntimeError('no')"})
    assert load_function("jobs_f:run", "where", tmp_path)(None) == 1
    assert sys.path[0] != str(tmp_path)
    __import__("this")
    assert not sys.modules["this"].__file__.startswith(str(tmp_path))
