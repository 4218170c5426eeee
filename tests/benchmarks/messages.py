"""Error messages as they come, with numbers in them that differ."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from itertools import cycle, islice

_MESSAGES = (
    "[Errno 111] Connection refused",
    "Connection reset by peer while reading {} bytes",
    "timed out after {} ms while connecting to port 993",
    "[AUTHENTICATIONFAILED] Invalid credentials (Failure)",
    "401 Client Error: Unauthorized for url: https://api.example.com/v1/rows/{}",
    "429 Too Many Requests: retry after {} seconds",
    "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute', {} of 100",
    "HTTP Error 503: Service Unavailable (request {})",
    'Conversion Error: CSV Error on Line: {}\nOriginal Line: {},x,1.5\nError when converting column "amount".',
    "could not convert string to float: 'n/a-{}'",
    "Invalid Input Error: CSV Error on Line: {}\nExpected Number of Columns: 12 Found: 11",
    "Expecting value: line {} column 1 (char 0)",
    "'utf-8' codec can't decode byte 0xe9 in position {}: invalid continuation byte",
    "[Errno 2] No such file or directory: '/srv/inbox/part-{}.csv'",
    "[Errno 13] Permission denied: '/srv/outbox/part-{}.csv'",
    "[Errno 28] No space left on device (wrote {} bytes)",
    'duplicate key value violates unique constraint "orders_pkey" DETAIL: Key (id)=({}) exists',
    'null value in column "email" of relation "users" violates not-null constraint, row {}',
    "KeyError: 'customer_id' in record {}",
    "The mailbox archive-{} does not exist",
    "AccessDenied: user is not authorized to perform s3:PutObject on object {}",
    "CUDA out of memory. Tried to allocate {} MiB",
    "Traceback (most recent call last):\n  File \"job.py\", line {}, in run\nValueError: not a date: '31/02/2026'",
    "batch {} did not do what was wanted",
    "login for jane.doe{}@example.com failed: password=hunter{} was refused by the server",
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired, try {}",
    "Name or service not known: mail-{}.example.com",
    "deadlock detected: process {} waits for a lock that another process holds",
)


def messages(count: int) -> Iterator[str]:
    """So many of them, in turn, each with a number of its own."""
    for number, text in enumerate(islice(cycle(_MESSAGES), count)):
        yield text.replace("{}", str(number * 7919 % 1_000_003))


def unlike_messages(count: int) -> Iterator[str]:
    """The same with a word in place of each number, or behind it all: no two are alike."""
    chance = random.Random(7)
    for text in islice(cycle(_MESSAGES), count):
        word = "".join(chance.choices(string.ascii_lowercase, k=8))
        yield text.replace("{}", word) if "{}" in text else f"{text} {word}"
