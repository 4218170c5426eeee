-- Refresh tokens that a token endpoint handed out in place of those that accounts were given, encrypted.

CREATE TABLE refresh_tokens (
    token_id   VARCHAR NOT NULL,
    source     VARCHAR NOT NULL,
    sealed     BLOB NOT NULL,
    renewed_at TIMESTAMP NOT NULL
);
