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
