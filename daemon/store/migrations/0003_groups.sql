-- What people decide about failure groups. Times are UTC.

ALTER TABLE failure_groups ADD COLUMN fingerprint_version INTEGER DEFAULT 1;

-- The decision that counts for a group. Whether the group is open is derived: see group_state.py.
CREATE TABLE group_decisions (
    failure_group VARCHAR NOT NULL,
    decision VARCHAR NOT NULL,
    as_of TIMESTAMP NOT NULL,
    until TIMESTAMP,
    note VARCHAR,
    decided_by VARCHAR,
    decided_at TIMESTAMP NOT NULL
);

-- Groups that are shown as part of another. Failures keep the group that they were stored with.
CREATE TABLE group_merges (
    failure_group VARCHAR NOT NULL,
    merged_into VARCHAR NOT NULL,
    -- Where merged_into leads in the end, so that nobody who reads has to follow it.
    shown_as VARCHAR NOT NULL
);

-- Failures of failure_group whose message holds the text belong to split_group instead.
CREATE TABLE group_splits (
    failure_group VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    split_group VARCHAR NOT NULL,
    split_from VARCHAR NOT NULL,
    split_at TIMESTAMP NOT NULL
);
