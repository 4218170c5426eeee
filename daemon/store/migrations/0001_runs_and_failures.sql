-- Runs, failures and what is counted of them. All times are UTC.

CREATE TABLE cycles (
    cycle_id VARCHAR NOT NULL,
    pipeline VARCHAR NOT NULL,
    started_by VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    outcome VARCHAR,
    duration_seconds DOUBLE
);

CREATE TABLE runs (
    run_id VARCHAR NOT NULL,
    pipeline VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    cycle_id VARCHAR NOT NULL,
    started_by VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    step VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    duration_seconds DOUBLE,
    succeeded BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    retryable BIGINT NOT NULL,
    progress_current BIGINT,
    progress_total BIGINT,
    category VARCHAR,
    error_message VARCHAR,
    user_message VARCHAR,
    suggested_action VARCHAR,
    top_errors VARCHAR
);

-- One row a cause of a failed item or run. Rows are added in the order of id, so id and error_time
-- ascend together and DuckDB skips the row groups that a time window leaves out; no index is needed.
CREATE TABLE failures (
    id BIGINT NOT NULL,
    error_time TIMESTAMP NOT NULL,
    run_id VARCHAR NOT NULL,
    pipeline VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    item VARCHAR,
    item_key UBIGINT NOT NULL,
    step VARCHAR NOT NULL,
    duration_seconds DOUBLE NOT NULL,
    category VARCHAR NOT NULL,
    retryable BOOLEAN NOT NULL,
    rule VARCHAR NOT NULL,
    exception_type VARCHAR,
    error_message VARCHAR NOT NULL,
    user_message VARCHAR NOT NULL,
    suggested_action VARCHAR NOT NULL,
    failure_group VARCHAR NOT NULL,
    attempt INTEGER NOT NULL,
    status VARCHAR NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    retry_at TIMESTAMP,
    row_count BIGINT,
    sample_rows BIGINT[],
    column_name VARCHAR
);

CREATE TABLE failure_groups (
    failure_group VARCHAR NOT NULL,
    pipeline VARCHAR NOT NULL,
    step VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    user_message VARCHAR NOT NULL,
    suggested_action VARCHAR NOT NULL,
    exception_type VARCHAR
);

-- How many failures there are of a kind and day: changes (plus and minus) are added in the same
-- transaction as the failures they count, and summed up now and then. Every total comes from here.
CREATE TABLE failure_tally (
    day DATE NOT NULL,
    pipeline VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    retryable BOOLEAN NOT NULL,
    status VARCHAR NOT NULL,
    failure_group VARCHAR NOT NULL,
    n BIGINT NOT NULL,
    first_seen TIMESTAMP NOT NULL,
    last_seen TIMESTAMP NOT NULL
);

CREATE TABLE run_log (
    run_id VARCHAR NOT NULL,
    logged_at TIMESTAMP NOT NULL,
    event VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    failure_id BIGINT
);

CREATE TABLE paused_pipelines (
    pipeline VARCHAR NOT NULL,
    paused_at TIMESTAMP NOT NULL
);
