-- Mail accounts that were made by API. `settings` hold no secret; `sealed` is the secret, encrypted with
-- a key that is not in this database.

CREATE TABLE accounts (
    name       VARCHAR NOT NULL,
    settings   VARCHAR NOT NULL,
    sealed     BLOB NOT NULL,
    version    INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    created_by VARCHAR NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    updated_by VARCHAR NOT NULL
);
