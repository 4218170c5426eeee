"""Prometheus with the shipped configuration and rules; only addresses and intervals are others."""

from __future__ import annotations

from typing import Any

from alerts.thresholds import load
from tests.support.product import ROOT
from tests.support.server_process import ServerProcess


class Prometheus(ServerProcess):
    """Scrapes and evaluates once a second."""

    def start(
        self,
        target: str,
        alertmanager: str,
        links: dict[str, str],
        lasting: str | None = None,
    ) -> None:
        """Begins. `links` replace those of the thresholds; `lasting` replaces every `for: 1m` and ages of 5 minutes."""
        config = (ROOT / "alerts/prometheus.yml").read_text()
        config = config.replace("15s", "1s").replace("triaged.example.com:8080", target)
        config = config.replace("alertmanager.example.com:9093", alertmanager)
        file = self.folder / "prometheus.yml"
        file.write_text(config)
        self._write_rules(links, lasting)
        self.launch(
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--storage.tsdb.retention.time=1h",
            "--enable-feature=exemplar-storage",
            # What fires before Alertmanager is known is lost until it is sent again.
            "--rules.alert.resend-delay=1s",
        )

    def _write_rules(self, links: dict[str, str], lasting: str | None) -> None:
        rules = self.folder / "rules"
        rules.mkdir()
        shipped = load().links
        for source in (ROOT / "alerts/rules").glob("*.yml"):
            text = source.read_text()
            for name, url in links.items():
                text = text.replace(getattr(shipped, name), url)
            if lasting is not None:
                text = text.replace("for: 1m\n", f"for: {lasting}\n")
                text = text.replace("< time() - 300\n", "< time() - 1\n")
            (rules / source.name).write_text(text)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        answer = self.http.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["result"]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its state."""
        groups = self.http.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        found = self.query('ALERTS{alertstate="firing"}')
        return {series["metric"]["alertname"] for series in found}
