"""Status and its history over REST, on the running product (requirements S)."""

from __future__ import annotations

import pytest

from tests.support.product import BAD, GOOD, Product, wait_for


@pytest.mark.requirement("S3")
def test_runs_survive_a_restart_and_the_one_the_daemon_died_in_is_interrupted(
    product: Product,
) -> None:
    (product.folder / "slow.py").write_text(
        "import pathlib, time\n"
        "def work(run):\n"
        "    run.succeed('first')\n"
        "    run.fail('second', 'connection refused')\n"
        "    while not pathlib.Path(run.options['until']).exists():\n"
        "        time.sleep(0.01)\n"
    )
    until = product.folder / "done"
    product.configure(
        '[pipelines.slow]\nrun = "slow:work"\nevery = "1h"\n'
        f'[pipelines.slow.sources.box]\noptions = {{ until = "{until}" }}\n'
    )
    product.start()
    wait_for(product.failures)
    product.kill()
    until.touch()
    product.start()

    def both() -> list[dict[str, object]]:
        runs = product.get("/api/runs")["runs"]
        return runs if len(runs) == 2 and runs[0]["end_time"] else []

    again, died = wait_for(both)
    assert died["status"] == "interrupted"
    assert died["final_state"] == "INTERRUPTED"
    assert died["end_time"] is not None
    assert again["status"] == "partial"
    # The failure of the first run was kept, and the second run's took its place as the open one.
    assert [(f["status"], f["attempt"]) for f in product.failures()] == [
        ("open", 2),
        ("retrying", 1),
    ]


@pytest.mark.requirement("S5")
def test_status_history_and_statistics_are_there_for_those_who_poll(product: Product) -> None:
    product.configure_orders()
    product.drop("good.csv", GOOD)
    product.drop("bad.csv", BAD)
    product.start()
    bad = product.wait_for_file("bad.csv", "partial")
    product.pause("ingest")
    status = product.get("/api/processing/status")
    assert status["failure_summary"]["failure_count"] == 2
    history = product.get("/api/processing/history", limit=1, status="partial")
    assert [run["run_id"] for run in history["runs"]] == [bad["run_id"]]
    seen, partial, cursor = [], 0, None
    while True:
        page = product.get(
            "/api/processing/history",
            limit=1,
            include_idle=True,
            **({"cursor": cursor} if cursor else {}),
        )
        seen += [run["run_id"] for run in page["runs"]]
        partial += sum(run["status"] == "partial" for run in page["runs"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == page["total_runs"]
    assert seen == sorted(seen, reverse=True)
    statistics = product.get("/api/processing/statistics")
    (orders,) = statistics["sources"]
    assert (orders["pipeline"], orders["source"]) == ("ingest", "orders")
    assert orders["runs"] == len(seen)
    assert orders["partial"] == partial >= 1  # runs that only skip the broken file are partial too


@pytest.mark.requirement("S5")
def test_a_paused_pipeline_stays_paused_over_a_restart_and_can_be_run_by_hand(
    product: Product,
) -> None:
    product.configure_orders()
    product.start()
    product.post("/api/pipelines/ingest/pause")
    assert product.stop() == 0
    product.drop("good.csv", GOOD)
    product.start()
    skipped = 'triaged_cycles_skipped_total{pipeline="ingest",reason="paused"}'
    wait_for(lambda: product.metrics()[skipped] >= 2)
    assert product.file("good.csv") is None
    product.post("/api/pipelines/ingest/run")
    product.wait_for_file("good.csv", "success")
    product.drop("more.csv", GOOD)
    product.post("/api/pipelines/ingest/resume")
    product.wait_for_file("more.csv", "success")
