-- The files that ingestions track, one row a file.

CREATE TABLE files (
    pipeline VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    content_hash VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    category VARCHAR,
    retryable BOOLEAN,
    user_message VARCHAR,
    suggested_action VARCHAR,
    error_message VARCHAR,
    exception_type VARCHAR,
    retry_count INTEGER NOT NULL,
    run_id VARCHAR NOT NULL,
    last_attempt TIMESTAMP NOT NULL,
    retry_at TIMESTAMP,
    rows_loaded BIGINT NOT NULL,
    rows_rejected BIGINT NOT NULL,
    rejects VARCHAR
);
