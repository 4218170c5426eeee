"""Writes the example's input files anew, always the same: `python examples/make_input.py`.

People, addresses and amounts are made up. Some files are broken on purpose, each in its own way, so
that the example shows what triaged says about them.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

INBOX = Path(__file__).parent / "inbox"
NAMES = ("ada", "ben", "chloe", "dmitri", "eva", "farid", "grace", "hiro", "ines", "jonas")
PRODUCTS = ("kettle", "teapot", "cup", "saucer", "tray", "strainer", "tin", "spoon")


def main() -> None:
    """Writes all files, and removes those that an earlier version wrote."""
    for old in INBOX.glob("*/*"):
        old.unlink()
    orders()
    events()
    inventory()
    payments()
    customers()


def orders() -> None:
    """A good day, a bad day, and a day on which the export wrote nothing."""
    choose = seeded(20)
    header = "order_id,email,product,amount,ordered_at"
    good = [order(choose, 1000 + n, datetime(2026, 11, 20, 6, tzinfo=UTC)) for n in range(200)]
    write("orders/orders-2026-11-20.csv", [header, *good])
    bad = [order(choose, 1200 + n, datetime(2026, 11, 21, 6, tzinfo=UTC)) for n in range(60)]
    bad[7] = bad[7].replace(bad[7].split(",")[3], "12.5O")
    bad[19] = bad[19].replace(bad[19].split(",")[3], "n/a")
    bad[23] = bad[23].rpartition(",")[0]
    bad[41] = bad[41].replace("2026-11-21", "2026-13-21")
    bad[52] = bad[52].replace(",", ',"', 1)
    write("orders/orders-2026-11-21.csv", [header, *bad])
    write("orders/orders-2026-11-22.csv", [])


def order(choose: random.Random, number: int, day: datetime) -> str:
    """One order as a CSV row."""
    amount = f"{choose.randint(350, 12000) / 100:.2f}"
    moment = day + timedelta(seconds=choose.randrange(50_000))
    email = f"{choose.choice(NAMES)}.{number}@example.com"
    return f"{number},{email},{choose.choice(PRODUCTS)},{amount},{moment:%Y-%m-%d %H:%M:%S}"


def events() -> None:
    """Page views as JSON lines; one line was cut off and one has a word for a number."""
    choose = seeded(21)
    start = datetime(2026, 11, 21, 6, tzinfo=UTC)
    lines = []
    for n in range(120):
        event = {
            "event_id": n + 1,
            "page": f"/products/{choose.choice(PRODUCTS)}",
            "milliseconds": choose.randint(12, 900),
            "seen_at": f"{start + timedelta(seconds=17 * n):%Y-%m-%d %H:%M:%S}",
        }
        lines.append(json.dumps(event))
    lines[33] = lines[33][:41]
    lines[78] = lines[78].replace('"milliseconds": ', '"milliseconds": "slow", "was": ')
    write("events/events.jsonl", lines)


def inventory() -> None:
    """Stock as Parquet: one file as agreed, one whose columns somebody renamed."""
    rows = "range(300) AS r(n)"
    parquet(
        f"SELECT n AS item_id, 'item-' || n AS item, (n * 37) % 250 AS stock FROM {rows}",
        "inventory/inventory.parquet",
    )
    parquet(
        f"SELECT n AS item_id, 'item-' || n AS title, 'many' AS stock FROM {rows}",
        "inventory/inventory-wrong-schema.parquet",
    )


def payments() -> None:
    """Payments load all or nothing: one word for a date keeps all of the file out."""
    choose = seeded(22)
    header = "payment_id,order_id,amount,paid_at"
    paid = [
        f"{n + 1},{1000 + n},{choose.randint(350, 12000) / 100:.2f},2026-11-21 {8 + n // 30:02d}:{n % 60:02d}:00"
        for n in range(90)
    ]
    paid[24] = paid[24].replace("2026-11-21", "yesterday")
    write("payments/payments-2026-11-21.csv", [header, *paid])


def customers() -> None:
    """Customers as one JSON document, in which nothing is wrong."""
    people = [
        {
            "customer_id": n + 1,
            "name": name.title(),
            "email": f"{name}@example.com",
            "since": f"2026-{n % 10 + 1:02d}-{n % 27 + 1:02d}",
        }
        for n, name in enumerate(NAMES)
    ]
    write("customers/customers.json", json.dumps(people, indent=2).splitlines())


def seeded(number: int) -> random.Random:
    """Chance that comes out the same every time."""
    return random.Random(number)


def write(name: str, lines: list[str]) -> None:
    """Writes a text file below the inbox."""
    path = INBOX / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def parquet(query: str, name: str) -> None:
    """Writes the rows of a query as Parquet below the inbox."""
    path = INBOX / name
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(query).write_parquet(str(path), compression="zstd")


if __name__ == "__main__":
    main()
