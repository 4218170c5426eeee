-- Who did what, or tried to: one row a request that changes something. Times are UTC.

CREATE SEQUENCE audit_ids;

CREATE TABLE audit (
    id BIGINT NOT NULL DEFAULT nextval('audit_ids'),
    audited_at TIMESTAMP NOT NULL,
    -- Name of the API key, or `local`. No address: it would be personal.
    done_by VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    subject VARCHAR,
    outcome VARCHAR NOT NULL,
    reason VARCHAR,
    details VARCHAR
);
