"""Prometheus metrics: counted when an event is on disk, measured when somebody scrapes.

Every pipeline and category exists at zero from the start. Label values come from the configuration
and the closed vocabularies alone, so the number of series is bounded.
"""

from daemon.metrics.at_scrape import Clocks, Measured
from daemon.metrics.registry import Metrics

__all__ = ["Clocks", "Measured", "Metrics"]
