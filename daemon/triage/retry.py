"""Whether another attempt can help, and why, in words."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from daemon.taxonomy import CATEGORIES, Category


class Retry(StrEnum):
    """Whether another attempt can help."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """Nobody can tell, so nothing is retried by itself."""


_NEEDED = {
    Category.AUTHENTICATION: "the credentials have to be changed",
    Category.PERMISSION: "somebody has to grant the right",
    Category.ACCOUNT_NOT_FOUND: "what is addressed has to exist first",
    Category.CONFIGURATION: "the settings have to be changed",
    Category.CONNECTION: "the address, the host name or the certificate has to be put right",
    Category.RATE_LIMIT: "the quota or the plan has to be raised, or space to be made",
    Category.SERVICE_UNAVAILABLE: "the other side has to be put right first",
    Category.REJECTED: "the request has to be changed",
    Category.DATA_MALFORMED: "the input has to be repaired",
    Category.SCHEMA_MISMATCH: "the input or the expected columns have to be changed",
    Category.VALIDATION: "the values have to be changed",
    Category.WRITE_FAILURE: "the place that is written to has to be put right",
    Category.RESOURCE: "the job needs more of the resource, or less to do at once",
    Category.QUALITY_ISSUE: "a better input is needed",
    Category.UNKNOWN: "its cause has to be found first",
}
_HOPES = {
    Category.AUTHENTICATION: ", but credentials are never tried again by themselves",
    Category.CONNECTION: ": the network may be back",
    Category.RATE_LIMIT: ": the limit lifts with time",
    Category.SERVICE_UNAVAILABLE: ": the other side may recover",
    Category.RESOURCE: ": the resource may be free again",
}


def usual(category: Category) -> Retry:
    """What holds for a category unless the rule that matched says otherwise."""
    if category is Category.UNKNOWN:
        return Retry.UNKNOWN
    return Retry.YES if CATEGORIES[category].retryable else Retry.NO


def as_stored(category: Category, *, retryable: bool) -> Retry:
    """What a stored failure, which keeps yes and no only, was told."""
    if retryable:
        return Retry.YES
    return Retry.UNKNOWN if category is Category.UNKNOWN else Retry.NO


def reason(category: Category, retry: Retry) -> str:
    """Why, as a clause to stand after "retryable: no"."""
    match retry:
        case Retry.YES:
            return f"retrying may help{_HOPES.get(category, ': the trouble may pass by itself')}"
        case Retry.NO:
            return f"retrying cannot help: {_NEEDED[category]}"
        case Retry.UNKNOWN:
            return "it is not known whether retrying helps, so nothing is retried by itself"
        case _:
            assert_never(retry)
