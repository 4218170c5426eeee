-- Retries by hand: what was asked for, and what came of each item.

CREATE TABLE retry_operations (
    operation_id VARCHAR NOT NULL,
    asked_at TIMESTAMP NOT NULL,
    asked_by VARCHAR NOT NULL,
    selection VARCHAR NOT NULL,
    include_not_retryable BOOLEAN NOT NULL,
    rate BIGINT,
    state VARCHAR NOT NULL,
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    error VARCHAR,
    failures BIGINT NOT NULL,
    selected BIGINT NOT NULL,
    not_retryable BIGINT NOT NULL,
    resolved BIGINT NOT NULL,
    set_aside BIGINT NOT NULL,
    superseded BIGINT NOT NULL,
    in_other_operation BIGINT NOT NULL
);

-- One row an item that is retried, known by its newest failure. Without an outcome it is still to do.
CREATE TABLE retry_targets (
    operation_id VARCHAR NOT NULL,
    failure_id BIGINT NOT NULL,
    pipeline VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    item VARCHAR,
    item_key UBIGINT NOT NULL,
    outcome VARCHAR,
    reason VARCHAR,
    new_failure_id BIGINT,
    category VARCHAR,
    ended_at TIMESTAMP
);
