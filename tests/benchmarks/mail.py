"""How long a cycle over many mail accounts takes, beside the bare protocol with as many connections."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from imapclient import IMAPClient

from daemon.pipelines.mail.message import HEADER_FIELDS
from tests.benchmarks.figures import Bench, Figure, compared, limited, reported, seconds
from tests.benchmarks.machine import Peak, memory, processor_seconds
from tests.support.dovecot import PASSWORD, Dovecot
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.product import Product, wait_for

ACCOUNTS = 200
MESSAGES = 10
CONNECTIONS = 8
ANSWER_SECONDS = 0.03
"""Every answer takes so long, as it does over the internet: otherwise only processors would be measured."""
REACH_MEGABYTES = 80

CONFIG = f"""
[log]
level = "warning"
[pipelines.mail]
cron = "0 0 1 1 *"
concurrency = {CONNECTIONS}
"""
ACCOUNT = """
[pipelines.mail.sources.{user}]
host = "127.0.0.1"
port = {port}
tls = "none"
username = "{user}"
password_file = "password"
"""


def measure(bench: Bench) -> Iterator[Figure]:
    """Seconds of a cycle over 200 accounts with new messages, and of one that finds nothing new."""
    users = [f"account{number:03d}" for number in range(bench.size(ACCOUNTS))]
    server = Dovecot(connections=2 * ACCOUNTS)
    try:
        for user in (*users, *map(_peers, users)):
            _fill(server, user)
        server.start()
        with FaultProxy(server.port, Fault("delay", pause=ANSWER_SECONDS)) as proxy:
            bench.say("the bare protocol")
            bare = seconds(lambda: _bare(proxy.port, [_peers(user) for user in users]))
            yield from _cycles(bench, users, proxy.port, bare)
    finally:
        server.stop()


def _peers(user: str) -> str:
    """An account of the same contents, for the peer: labelling a message twice is less work."""
    return f"peer-{user}"


def _fill(server: Dovecot, user: str) -> None:
    now = datetime.now(UTC)
    for number in range(MESSAGES):
        headers = {
            "From": f"a{number}@example.org",
            "Subject": f"Message {number}",
            "List-Id": "<l>",
        }
        server.deliver(user, headers, at=now - timedelta(minutes=number))


def _cycles(bench: Bench, users: list[str], port: int, bare: float) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        product = Product(Path(name))
        (product.folder / "password").write_text(PASSWORD)
        product.configure(CONFIG + "".join(ACCOUNT.format(user=u, port=port) for u in users))
        try:
            product.start()
            assert product.process is not None
            process = product.process.pid
            at_rest = memory(process)
            bench.say("a cycle in which all messages are new")
            before = processor_seconds(process)
            with Peak(process) as peak:
                took = _cycle(product, len(users))
            work = processor_seconds(process) - before
            peer = (f"IMAPClient in {CONNECTIONS} threads", bare)
            what = f"{len(users)} mail accounts, {MESSAGES} new messages each"
            yield compared(what, took, "s", peer, most=1.5)
            yield reported("  processor time an account", work / len(users) * 1000, "ms")
            bench.say("a cycle in which none is")
            yield reported("  nothing new", _cycle(product, len(users)), "s")
            yield limited("  memory before", at_rest.own, "MB", REACH_MEGABYTES, at_rest.beside)
            resident = f"VmRSS {peak.resident:.0f} MB"
            yield limited("  the most meanwhile", peak.own, "MB", REACH_MEGABYTES, resident)
            done = product.metrics()['triaged_items_total{outcome="succeeded",pipeline="mail"}']
            assert done == len(users) * MESSAGES, done
            product.stop()
        finally:
            product.kill()
            product.http.close()


def _cycle(product: Product, runs: int) -> float:
    """Seconds of one cycle, which has to succeed for every account."""
    before = _successes(product)
    begun = time.perf_counter()
    product.post("/api/pipelines/mail/run")
    wait_for(lambda: _is_running(product))
    while _is_running(product):
        time.sleep(0.1)  # asking more often would be work for the daemon
    took = time.perf_counter() - begun
    assert _successes(product) - before == runs
    return took


def _successes(product: Product) -> float:
    return product.metrics()['triaged_runs_total{pipeline="mail",status="success"}']


def _is_running(product: Product) -> bool:
    (mail,) = product.get("/api/pipelines")["pipelines"]
    return bool(mail["running"])


def _bare(port: int, users: list[str]) -> None:
    """What has to go over the wire for each account, and no more."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda user: _bare_account(port, user), users))


def _bare_account(port: int, user: str) -> None:
    client = IMAPClient("127.0.0.1", port, ssl=False)
    client.login(user, PASSWORD)
    client.select_folder("INBOX")
    uids = client.search(["SINCE", datetime.now(UTC).date() - timedelta(days=1)])
    fields = " ".join(HEADER_FIELDS).upper()
    wanted = [f"BODY.PEEK[HEADER.FIELDS ({fields})]", "INTERNALDATE", "RFC822.SIZE", "FLAGS"]
    assert len(client.fetch(uids, wanted)) == MESSAGES
    client.add_flags(uids, ["newsletter"])
    client.logout()
