-- Runs that were asked for and are not done. `claims` counts how often one had its turn and was not done after it.

CREATE TABLE work (
    cycle_id VARCHAR NOT NULL,
    pipeline VARCHAR NOT NULL,
    source   VARCHAR NOT NULL,
    started_by VARCHAR NOT NULL,
    priority VARCHAR NOT NULL,
    asked_at TIMESTAMP NOT NULL,
    state    VARCHAR NOT NULL,
    claims   INTEGER NOT NULL
);
