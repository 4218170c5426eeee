"""Makes the README's picture: `python -m tests.picture` writes docs/watch.svg.

It is what `triaged watch` shows of the bundled example, a few seconds after the start.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from rich.console import Console

from daemon.cli.client import Client
from daemon.cli.watch import Seen, look, view
from tests.support.example import Example
from tests.support.product import ROOT, Product, wait_for

OPEN_FAILURES = 10


def main() -> None:
    """Runs the example in a folder of its own and draws the live view."""
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder))
        Example(product).start()
        try:
            wait_for(lambda: len(product.failures(status="open")) == OPEN_FAILURES)
            seen = look(Client(product.url), None)
            assert isinstance(seen, Seen)
            console = Console(record=True, width=130, file=(Path(folder) / "screen").open("w"))
            console.print(view(console, "http://127.0.0.1:8080", seen, seen))
            (ROOT / "docs/watch.svg").write_text(plain(console.export_svg(title="triaged watch")))
        finally:
            product.stop()


def plain(svg: str) -> str:
    """The picture without fonts from elsewhere: whoever looks at it asks nobody else for anything."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "DejaVu Sans Mono")


if __name__ == "__main__":
    main()
