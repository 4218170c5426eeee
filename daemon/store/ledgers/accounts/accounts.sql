-- The statements about mail accounts that were made by API.

-- name: update_account
-- An account that is there already, as it is now.
UPDATE accounts SET settings = ?, sealed = ?, version = ?, updated_at = ?, updated_by = ? WHERE name = ?;

-- name: insert_account
-- One that is not there yet.
INSERT INTO accounts (
    name, settings, sealed, version, created_at, created_by, updated_at, updated_by)
SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (FROM accounts WHERE name = ?);

-- name: delete_account
-- One that was removed.
DELETE FROM accounts WHERE name = ?;

-- name: renewed_tokens
-- All refresh tokens that came in place of others.
SELECT token_id, sealed FROM refresh_tokens;

-- name: drop_token
-- Makes room for a newer one.
DELETE FROM refresh_tokens WHERE token_id = ?;

-- name: add_token
-- The newest one.
INSERT INTO refresh_tokens (token_id, source, sealed, renewed_at) VALUES (?, ?, ?, ?);

-- name: drop_tokens_of_account
-- Those of an account that was removed.
DELETE FROM refresh_tokens WHERE source = ?;

-- name: expire_tokens
-- What was not renewed for more than a year is good for nothing any more.
DELETE FROM refresh_tokens WHERE renewed_at < ?::TIMESTAMP - INTERVAL 400 DAY;
