"""What a person does about the files of an ingestion, and its rejected rows, from the command line."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.support.product import BAD, GOOD, Product


@pytest.fixture
def orders(product: Product) -> Product:
    product.configure_orders(every="1h")
    product.drop("bad.csv", BAD)
    product.drop("good.csv", GOOD)
    product.start()
    product.wait_for_file("bad.csv", "partial")
    product.wait_until_idle()
    return product


def say(product: Product, *words: str, code: int = 0, **options: Any) -> str:
    """What a command prints."""
    done = product.command(*words, "--url", product.url, **options)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def statuses(product: Product) -> dict[str, str]:
    lines = say(product, "files", "list", "orders", "--json").splitlines()
    return {file["path"]: file["status"] for file in map(json.loads, lines)}


@pytest.mark.requirement("I6", "I7", "X6")
def test_files_are_listed_set_aside_ignored_released_and_read_again(orders: Product) -> None:
    shown = say(orders, "files", "list")
    assert "orders" in shown
    assert "1 ingestion." in shown
    assert statuses(orders) == {"bad.csv": "partial", "good.csv": "success"}
    assert "good.csv" not in say(orders, "files", "list", "orders", "--status", "partial")
    assert "1 file set aside" in say(orders, "files", "quarantine", "orders", "bad.csv")
    assert statuses(orders)["bad.csv"] == "quarantined"
    assert "1 file to be read again" in say(orders, "files", "release", "orders", "bad.csv")
    orders.wait_for_file("bad.csv", "partial")
    assert "1 file ignored" in say(orders, "files", "ignore", "orders", "bad.csv")
    assert statuses(orders)["bad.csv"] == "ignored"
    say(orders, "files", "release", "orders", "bad.csv")
    tried = orders.wait_for_file("bad.csv", "partial")["last_attempt"]
    orders.wait_until_idle()
    refused = say(orders, "files", "retry", "orders", code=2, stdin=subprocess.DEVNULL)
    assert "add --yes" in refused
    assert orders.wait_for_file("bad.csv", "partial")["last_attempt"] == tried
    assert "1 file to be read again" in say(orders, "files", "retry", "orders", "--yes")
    orders.wait_for_file("bad.csv", "partial", since=tried)


@pytest.mark.requirement("I6", "X4")
def test_an_ingestion_or_path_that_is_not_there_is_a_mistake(orders: Product) -> None:
    assert "did you mean orders?" in say(orders, "files", "list", "order", code=2)
    assert "did you mean orders?" in say(orders, "rejected", "order", code=2)
    assert "no pipeline 'nothing'" in say(orders, "failures", "--pipeline", "nothing", code=2)
    assert "not files" in say(orders, "files", "ignore", "orders", "nothing.csv", code=5)


@pytest.mark.requirement("I3", "X6")
def test_rejected_rows_are_shown_with_their_reason_and_written_to_be_fixed(orders: Product) -> None:
    shown = say(orders, "rejected", "orders")
    assert "bad.csv:2  schema_mismatch  cause CAST:amount" in shown
    assert "3,cy@example.com,abc" in shown
    assert "2 rows." in shown
    one = say(orders, "rejected", "orders", "--cause", "CAST:amount", "--json").splitlines()
    assert [json.loads(line)["row_number"] for line in one] == [2]
    csv = say(orders, "rejected", "orders", "--csv")
    answer = orders.http.get("/api/ingestions/orders/rejected?format=csv").text
    assert csv.splitlines() == answer.splitlines()
    one_cause = say(orders, "rejected", "orders", "--cause", "CAST:amount", "--csv")
    orders.drop("fixed.csv", one_cause.replace(",abc,", ",1.50,", 1))
    say(orders, "run", "ingest", code=1)
    assert orders.file("fixed.csv")["rows_loaded"] == 1  # type: ignore[index]
    lines = say(orders, "rejected", "orders", "--path", "bad.csv", "--jsonl").splitlines()
    assert json.loads(lines[0])["amount"] == "abc"
    assert say(orders, "rejected", "orders", "--path", "good.csv") == "No rows match.\n"
