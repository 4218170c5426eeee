"""The bundled example in a folder of its own, started as `make run` starts it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.support.product import ROOT, Product, free_port, wait_for


class Example:
    """Its triaged and its mail server, at ports of their own, so that those of a `make run` stay as they are."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.mail_port = free_port()
        self.folder = product.folder / "examples"
        shutil.copytree(ROOT / "examples", self.folder, ignore=shutil.ignore_patterns("data"))
        product.config = self.folder / "triaged.toml"
        text = product.config.read_text().replace(":8080", f":{product.port}")
        product.config.write_text(text.replace("port = 10143", f"port = {self.mail_port}"))

    def start(self) -> None:
        """Starts both, and waits till triaged answers."""
        with self.product.log.open("ab") as log:
            self.product.process = subprocess.Popen(
                [sys.executable, str(self.folder / "run.py"), "--port", str(self.mail_port)],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        wait_for(self.product.answers)
