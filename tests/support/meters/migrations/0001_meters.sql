-- Meters, one row each.

CREATE TABLE meters (
    source   VARCHAR NOT NULL,
    meter    VARCHAR NOT NULL,
    value    DOUBLE,
    category VARCHAR,
    attempt  INTEGER NOT NULL,
    run_id   VARCHAR NOT NULL,
    read_at  TIMESTAMP NOT NULL,
    ignored  BOOLEAN NOT NULL
);
