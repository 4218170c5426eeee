"""Alertmanager with the shipped configuration and templates; only addresses and intervals are others."""

from __future__ import annotations

import re
import shutil

from tests.support.product import ROOT
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess


class Alertmanager(ServerProcess):
    """Notifies at once, and of changes after a second."""

    def start(self, receiver: Receiver) -> None:
        """Begins."""
        slack = self.folder / "slack.url"
        slack.write_text(f"{receiver.url}/slack")
        config = (ROOT / "alerts/alertmanager.yml").read_text()
        config = config.replace("mail.example.com:587", receiver.smtp)
        config = config.replace("global:\n", "global:\n  smtp_require_tls: false\n", 1)
        config = config.replace("http://hooks.example.com", receiver.url)
        config = config.replace("/etc/alertmanager/secrets/slack.url", str(slack))
        config = re.sub(r"group_wait: \w+", "group_wait: 0s", config)
        config = re.sub(r"group_interval: \w+", "group_interval: 1s", config)
        file = self.folder / "alertmanager.yml"
        file.write_text(config)
        shutil.copytree(ROOT / "alerts/templates", self.folder / "templates")
        self.launch(
            "prometheus-alertmanager",
            f"--config.file={file}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        )
