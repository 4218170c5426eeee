"""The closed vocabularies: categories, their groups, statuses and states, each stated once."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Category(StrEnum):
    """What kind of failure it is."""

    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    ACCOUNT_NOT_FOUND = "account_not_found"
    CONFIGURATION = "configuration"
    CONNECTION = "connection"
    RATE_LIMIT = "rate_limit"
    SERVICE_UNAVAILABLE = "service_unavailable"
    REJECTED = "rejected"
    DATA_MALFORMED = "data_malformed"
    SCHEMA_MISMATCH = "schema_mismatch"
    VALIDATION = "validation"
    WRITE_FAILURE = "write_failure"
    RESOURCE = "resource"
    QUALITY_ISSUE = "quality_issue"
    UNKNOWN = "unknown"


class Group(StrEnum):
    """The coarse side of a category."""

    NETWORK = "network"
    API = "api"
    VALIDATION = "validation"
    SYSTEM = "system"


class RetryStrategy(StrEnum):
    """How waiting times between attempts grow."""

    NONE = "none"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    EXPONENTIAL_JITTER = "exponential_jitter"


class CategoryFacts(msgspec.Struct, frozen=True):
    """What holds for a category unless the rule that matched says otherwise."""

    group: Group
    meaning: str
    retryable: bool


CATEGORIES: dict[Category, CategoryFacts] = {
    Category.AUTHENTICATION: CategoryFacts(
        Group.VALIDATION, "credentials missing, wrong, expired or revoked", False
    ),
    Category.PERMISSION: CategoryFacts(Group.VALIDATION, "known identity, not allowed", False),
    Category.ACCOUNT_NOT_FOUND: CategoryFacts(
        Group.API, "the account, mailbox, file or object addressed does not exist", False
    ),
    Category.CONFIGURATION: CategoryFacts(Group.SYSTEM, "local settings missing or wrong", False),
    Category.CONNECTION: CategoryFacts(Group.NETWORK, "refused, reset, timeout, DNS, TLS", True),
    Category.RATE_LIMIT: CategoryFacts(Group.API, "throttled, quota used up", True),
    Category.SERVICE_UNAVAILABLE: CategoryFacts(
        Group.API, "the remote side fails or is down", True
    ),
    Category.REJECTED: CategoryFacts(
        Group.API, "a remote API refused the request otherwise", False
    ),
    Category.DATA_MALFORMED: CategoryFacts(Group.VALIDATION, "input cannot be parsed", False),
    Category.SCHEMA_MISMATCH: CategoryFacts(
        Group.VALIDATION, "parses, but fields or types differ", False
    ),
    Category.VALIDATION: CategoryFacts(
        Group.VALIDATION, "a value breaks a rule or constraint", False
    ),
    Category.WRITE_FAILURE: CategoryFacts(Group.SYSTEM, "output could not be written", False),
    Category.RESOURCE: CategoryFacts(
        Group.SYSTEM, "memory, GPU memory, file handles, time limit", False
    ),
    Category.QUALITY_ISSUE: CategoryFacts(
        Group.VALIDATION, "input understood but not good enough", False
    ),
    Category.UNKNOWN: CategoryFacts(Group.SYSTEM, "nothing matched", False),
}

CATEGORY_ALIASES: dict[str, Category] = {
    "auth": Category.AUTHENTICATION,
    "connectivity": Category.CONNECTION,
    "gmail_service": Category.SERVICE_UNAVAILABLE,
}
"""Names of the source systems that filters accept too."""


class RunStatus(StrEnum):
    """How a run stands or ended."""

    RUNNING = "running"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


class RunState(StrEnum):
    """The live phase of a run."""

    IDLE = "idle"
    CONNECTING = "connecting"
    FETCHING = "fetching"
    PROCESSING = "processing"
    CATEGORIZING = "categorizing"
    LABELING = "labeling"
    WRITING = "writing"
    COMPLETED = "completed"
    ERROR = "error"


class FailureStatus(StrEnum):
    """Where a failure stands in its handling."""

    OPEN = "open"
    RETRYING = "retrying"
    RESOLVED = "resolved"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"


class GroupState(StrEnum):
    """Where a failure group stands, by when its failures happened."""

    OPEN = "open"
    RESOLVED = "resolved"
    IGNORED = "ignored"
    REGRESSED = "regressed"


class GroupDecision(StrEnum):
    """What a person decides about a failure group."""

    RESOLVED = "resolved"
    IGNORED = "ignored"
    REOPENED = "reopened"


class AuditOutcome(StrEnum):
    """What came of a request that changes something."""

    DONE = "done"
    REFUSED = "refused"


class FileStatus(StrEnum):
    """Where a tracked file stands."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"
    RETRYING = "retrying"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"


class Trigger(StrEnum):
    """What started a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    RETRY = "retry"


class Priority(StrEnum):
    """Whose turn comes first when work has to wait; from the first to the last."""

    PERSON = "person"
    """A person asked for it."""
    RETRY = "retry"
    """It is tried again by itself."""
    CYCLE = "cycle"
    """It was due."""


class WorkState(StrEnum):
    """How work that was asked for stands."""

    QUEUED = "queued"
    """It waits for its turn."""
    CLAIMED = "claimed"
    """It has its turn."""
    DONE = "done"
    """Nothing is left to do."""


class RetryState(StrEnum):
    """How a retry operation stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class RetryOutcome(StrEnum):
    """What a retry operation came to for one item."""

    SUCCEEDED = "succeeded"
    FAILED_AGAIN = "failed_again"
    NOT_RETRIED = "not_retried"


class RetryReason(StrEnum):
    """Why an item could not be retried."""

    SOURCE_UNKNOWN = "source_unknown"
    FILE_GONE = "file_gone"
    SET_ASIDE = "set_aside"
    RUN_FAILED = "run_failed"
    NOT_TOUCHED = "not_touched"
