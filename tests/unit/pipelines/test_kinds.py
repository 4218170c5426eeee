"""A kind of pipeline that only this test knows: one folder's worth of code, and one entry in a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from daemon.composition.checks import check
from daemon.config import PipelineConfig, Settings, load
from daemon.config.schema import ConfigTable, SourceName
from daemon.errors import ConfigError, Problem
from daemon.operations.retries.requests import RetryRequest
from daemon.pipelines.catalog import Registered, Source
from daemon.pipelines.contract import RunHandle
from daemon.pipelines.kind import Kind, Kinds, Surroundings
from daemon.pipelines.kinds import KINDS
from daemon.pipelines.retry_plan import Chosen, RetryPlan
from daemon.pipelines.versions import fixed
from daemon.service import Daemon
from daemon.store.filters import FailureFilter
from daemon.taxonomy import RetryReason, Trigger
from tests.unit.spine_support import PATIENCE, wait_for

CONFIG = "[pipelines.pumps]\nlimit = 3\n[pipelines.pumps.sources.north]\npressure = { a = 2, b = 9, c = 5 }\n"


class Plant(ConfigTable, frozen=True, kw_only=True):
    """Pumps of a plant."""

    pressure: dict[str, int]
    """By pump."""
    enabled: bool = True
    """Whether cycles include it."""


class PumpsConfig(PipelineConfig, frozen=True, kw_only=True):
    """Looks at pumps."""

    limit: int
    """Most pressure."""
    sources: dict[SourceName, Plant]
    """The plants."""


class Pumps:
    """Fails pumps with too much pressure."""

    def __init__(self, config: PumpsConfig) -> None:
        self.config = config
        self.wanted: list[frozenset[str] | None] = []

    def __call__(self, run: RunHandle) -> None:
        self.wanted.append(run.wanted)
        for pump, pressure in self.config.sources[run.source].pressure.items():
            if run.wanted is not None and pump not in run.wanted:
                run.skip(pump)
            elif pressure > self.config.limit and run.wanted is None:
                run.fail(pump, TimeoutError("timed out"))
            else:
                run.succeed(pump)


def check_pumps(name: str, config: PumpsConfig, settings: Settings) -> list[Problem]:
    empty = [n for n, plant in config.sources.items() if not plant.pressure]
    return [Problem(f"pipelines.{name}.sources.{n}.pressure", "expected pumps") for n in empty]


def build_pumps(name: str, config: PumpsConfig, around: Surroundings) -> Registered:
    sources = {n: Source(n, s.enabled, {}, version=fixed(s)) for n, s in config.sources.items()}
    return Registered(name, Pumps(config), config, sources, plan_pumps)


def plan_pumps(source: str, chosen: Sequence[Chosen]) -> RetryPlan:
    """Pump c is not to be touched by anybody."""
    refused = {one.failure_id: RetryReason.SET_ASIDE for one in chosen if one.name == "c"}
    return RetryPlan(frozenset(one.name for one in chosen if one.name not in (None, "c")), refused)


PUMPS = Kind(name="pumps", config=PumpsConfig, check=check_pumps, build=build_pumps)
WITH_PUMPS = Kinds(*KINDS, PUMPS)


def settings(folder: Path, text: str = CONFIG) -> Settings:
    file = folder / "triaged.toml"
    file.write_text(text)
    return load(file, WITH_PUMPS.record_of, {})


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    opened = Daemon(settings(tmp_path), kinds=WITH_PUMPS)
    opened.start(schedule=False)
    yield opened
    opened.stop(PATIENCE)


def test_its_configuration_is_read_with_every_mistake_under_its_key(tmp_path: Path) -> None:
    text = CONFIG.replace("limit = 3", 'limit = "much"\ncolour = "red"')
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)
    wrong = {problem.where: problem.expected for problem in caught.value.problems}
    assert wrong["triaged.toml: pipelines.pumps.limit"].startswith("expected a whole number, got")
    assert "unknown key" in wrong["triaged.toml: pipelines.pumps.colour"]


def test_the_mistakes_that_it_checks_for_itself_keep_the_daemon_from_starting(
    tmp_path: Path,
) -> None:
    found = settings(tmp_path, CONFIG.replace("{ a = 2, b = 9, c = 5 }", "{}"))
    where = "triaged.toml: pipelines.pumps.sources.north.pressure"
    assert check(found, WITH_PUMPS) == [Problem(where, "expected pumps")]
    with pytest.raises(ConfigError, match="expected pumps"):
        Daemon(found, kinds=WITH_PUMPS)
    assert not found.store_path.exists()


def test_without_it_in_the_list_its_name_is_one_of_a_pipeline_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "triaged.toml"
    file.write_text(CONFIG)
    with pytest.raises(ConfigError, match=r"pipelines\.pumps\.run: missing"):
        load(file, KINDS.record_of, {})


def test_it_runs_and_a_retry_by_hand_goes_by_its_plan(daemon: Daemon) -> None:
    pumps = daemon.catalog.pipeline("pumps")
    daemon.cycles.run(pumps, list(pumps.sources.values()), Trigger.MANUAL)
    assert daemon.writer.flush(PATIENCE)
    failed = daemon.failures.page(FailureFilter(), 10).failures
    assert sorted((f.item, f.category) for f in failed) == [
        ("b", "connection"),
        ("c", "connection"),
    ]

    operation = daemon.retry_requests.ask(RetryRequest(), "{}", "local")
    daemon.retry_worker.start()
    wait_for(lambda: daemon.retries.get(operation.operation_id).ended_at is not None)
    assert isinstance(pumps.function, Pumps)
    assert pumps.function.wanted == [None, frozenset({"b"})]
    (left,) = daemon.retries.unsuccessful(operation.operation_id, 10).items
    assert (left.item, left.reason) == ("c", "set_aside")
    now = {f.item: f.status for f in daemon.failures.page(FailureFilter(), 10).failures}
    assert now == {"b": "resolved", "c": "open"}
