"""Writes metrics out: gauges, of which there are several for each source, faster than the client library.

The library looks at every name and label of every line anew; that of a thousand sources would keep the
interpreter from answering others. A gauge's lines are the same in both formats, but for quotes in its HELP.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

END = b"# EOF\n"
"""The last line of OpenMetrics."""


class _Families(Collector):
    """Families that were collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(registry: Collector, accept: str) -> tuple[bytes, str]:
    """What is in the registry, in the format that `accept` asks for, with its content type."""
    encode, content_type = choose_encoder(accept)
    families = list(registry.collect())
    others = encode(_Families(family for family in families if family.type != "gauge"))
    end = END if others.endswith(END) else b""
    escaped = _escaped if end else _on_one_line
    gauges = "".join(
        line for family in families if family.type == "gauge" for line in _lines(family, escaped)
    )
    return others.removesuffix(END) + gauges.encode() + end, content_type


def _lines(gauge: Metric, escaped: Callable[[str], str]) -> Iterator[str]:
    name = gauge.name
    yield f"# HELP {name} {escaped(gauge.documentation)}\n# TYPE {name} gauge\n"
    for sample in gauge.samples:
        labels = ",".join(
            [f'{label}="{_escaped(value)}"' for label, value in sorted(sample.labels.items())]
        )
        yield f"{name}{{{labels}}} " if labels else f"{name} "
        yield f"{floatToGoString(sample.value)}\n"  # type: ignore[no-untyped-call]


def _escaped(text: str) -> str:
    return _on_one_line(text).replace('"', r"\"")


def _on_one_line(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
