-- Mail messages that are done: where they are, what was decided, and nothing of what they say.

CREATE TABLE messages (
    pipeline VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    folder VARCHAR NOT NULL,
    uidvalidity BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    gm_msgid UBIGINT,
    received TIMESTAMP NOT NULL,
    category VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    label VARCHAR,
    run_id VARCHAR NOT NULL,
    done_at TIMESTAMP NOT NULL
);
