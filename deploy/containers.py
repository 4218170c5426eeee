"""Configuration for the containers of compose.yaml, from what is shipped: only addresses are others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "compose"

_PROMETHEUS = {
    "alertmanager.example.com:9093": "alertmanager:9093",
    "triaged.example.com:8080": "triaged:8080",
    "    # With API keys in triaged's configuration, /metrics wants one, too:\n": "",
    "# authorization:": "authorization:",
    " Change the addresses.": "",
}
_DEMO = {
    'listen = "127.0.0.1:8080"       #': 'listen = "0.0.0.0:8080"         #',
    '"data/': '"/var/lib/triaged/',
    'host = "127.0.0.1"': 'host = "mail"',
    "# on this machine only; elsewhere": "# between two containers only; elsewhere",
}


def container_files(shipped: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Every file with its content, made from what the folder `shipped` has."""
    prometheus = (shipped / "alerts/prometheus.yml").read_text("utf-8")
    yield FOLDER / "prometheus.yml", _made_from("alerts/prometheus.yml", prometheus, _PROMETHEUS)
    example = (shipped / "examples/triaged.toml").read_text("utf-8")
    _about_make_run, settings = example.split("\n\n", 1)
    yield FOLDER / "demo.toml", _made_from("examples/triaged.toml", settings, _DEMO)


def _made_from(source: str, text: str, changes: Mapping[str, str]) -> str:
    """Raises `ValueError` when the source no longer has what is to be changed."""
    for shipped, ours in changes.items():
        if shipped not in text:
            raise ValueError(f"{source} does not have {shipped!r} any more")
        text = text.replace(shipped, ours)
    return f"# Made from {source} by `make docs`. Do not edit.\n{text}"
