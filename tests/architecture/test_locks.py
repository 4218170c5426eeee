"""Locked sets are complete, so that they are installed as they are, whatever is released later."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.product import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LOCKS = {
    "requirements.lock": (),
    "requirements-example.lock": ("requirements.lock",),
    "requirements-dev.lock": ("requirements.lock", "requirements-example.lock"),
    "requirements-build.lock": (),
    "requirements-audit.lock": (),
}
"""Each lock, and those that are installed before it into the same environment."""

PIN = re.compile(r"^([\w.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return {
        canonicalize_name(name): version
        for name, version, _ in PIN.findall((ROOT / lock).read_text())
    }


def requirements(name: str, version: str) -> list[Requirement] | None:
    """What a pinned package requires; None when it is not installed here in that version."""
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if Version(found.version) != Version(version):
        return None
    return [Requirement(text) for text in found.requires or ()]


def applies(requirement: Requirement, python: str, extras: set[str]) -> bool:
    if requirement.marker is None:
        return True
    here = {"python_version": python, "python_full_version": f"{python}.1"}
    return any(requirement.marker.evaluate(here | {"extra": extra}) for extra in ("", *extras))


def missing(lock: str, python: str) -> Iterator[str]:
    """Requirements of pinned packages, with the extras that they ask of each other, that no pin satisfies."""
    pinned: dict[str, str] = {}
    for one in (*LOCKS[lock], lock):
        pinned |= pins(one)
    extras: dict[str, set[str]] = {name: set() for name in pinned}
    while True:
        before = sum(map(len, extras.values()))
        found = []
        for name, version in pinned.items():
            for asked in requirements(name, version) or ():
                if not applies(asked, python, extras[name]):
                    continue
                other = canonicalize_name(asked.name)
                if other in pinned and asked.specifier.contains(pinned[other], prereleases=True):
                    extras[other] |= asked.extras
                else:
                    found.append(f"{name} requires {asked}, pinned is {pinned.get(other)}")
        if before == sum(map(len, extras.values())):
            yield from found
            return


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_hashed_and_names_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(lines) == len(pins(lock)) > 0
    assert "://" not in text
    assert not re.search(r"-url|find-links|trusted-host", text)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock != "requirements-audit.lock"])
def test_a_lock_holds_all_that_its_packages_require(lock: str, python: str) -> None:
    unseen = [name for name, version in pins(lock).items() if requirements(name, version) is None]
    assert unseen == [], "this environment is not what is locked: make install"
    assert list(missing(lock, python)) == []


def test_every_lock_is_installed_without_resolving() -> None:
    assert sorted(LOCKS) == sorted(path.name for path in ROOT.glob("requirements*.lock"))
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^LOCKED := install --no-deps --require-hashes ", makefile, re.MULTILINE)
    assert "install --require-hashes" not in makefile
    installing = [
        line
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if re.search(r"pip install .*\.lock", line)
    ]
    assert len(installing) == 3
    assert [line for line in installing if "--no-deps --require-hashes" not in line] == []


def wheel(folder: Path, name: str, version: str, *requires: str) -> str:
    """Makes a wheel without content; returns its hash as a lock states it."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: more\n"
    files = {
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {one}\n" for one in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest())
        lines.append(f"{path},sha256={digest.rstrip(b'=').decode()},{len(content)}\n")
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", "".join(lines) + f"{info}/RECORD,,\n")
    return hashlib.sha256(target.read_bytes()).hexdigest()


@pytest.mark.slow
def test_what_looks_for_known_faults_is_set_up_in_an_environment_of_its_own() -> None:
    """Its packages are none of the product's, so their requirements are checked where they are."""
    target = ".venv/audit/.installed"
    subprocess.run(["make", f"PYTHON={sys.executable}", target], cwd=ROOT, check=True)
    python = ROOT / ".venv/audit/bin/python"
    subprocess.run([python, "-m", "pip", "check"], cwd=ROOT, check=True)


@pytest.mark.slow
@pytest.mark.requirement("X1")
def test_a_fresh_clone_is_set_up_though_the_index_has_newer_releases(tmp_path: Path) -> None:
    """The Makefile's own rule, on a lock in which a pin is also required with an extra."""
    index = tmp_path / "index"
    index.mkdir()
    lock = ""
    for name, requires in (("first", ["second[more]>=1"]), ("second", [])):
        lock += f"{name}==1.0 \\\n    --hash=sha256:{wheel(index, name, '1.0', *requires)}\n"
    wheel(index, "second", "2.0")
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "requirements.lock").write_text(lock)
    only_this = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | only_this

    made = subprocess.run(
        ["make", f"PYTHON={sys.executable}", ".venv/.runtime"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    shown = subprocess.run(
        [".venv/bin/python", "-m", "pip", "list", "--format=freeze"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert {"first==1.0", "second==1.0"} <= set(shown.stdout.split())

    resolving = subprocess.run(
        [".venv/bin/python", "-m", "pip", "install", "--require-hashes", "--ignore-installed",
         "--dry-run", "--requirement", "requirements.lock"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert resolving.returncode != 0
    assert "second" in resolving.stderr
