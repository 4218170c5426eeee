-- The statements about mail messages that are done.

-- name: known_messages
-- Those of an account that were received since a moment, and those that are wanted by name.
SELECT folder, uidvalidity, uid, gm_msgid FROM messages
WHERE pipeline = $pipeline AND source = $source
   AND (received >= $since
        OR list_contains($wanted::VARCHAR[], folder || '/' || uidvalidity || '/' || uid)
        OR list_contains($wanted::VARCHAR[], 'gmail-' || gm_msgid))
ORDER BY ALL;

-- name: messages_set_aside
-- Messages of an account that failed and are not to be tried again by themselves, by the keys of their items.
WITH latest AS (
    SELECT max(id) AS id FROM failures
    WHERE pipeline = $pipeline AND source = $source AND item IS NOT NULL GROUP BY item_key)
SELECT item_key FROM failures WHERE id IN (FROM latest)
   AND (status IN ('quarantined', 'ignored')
        OR (status = 'open' AND (retry_at IS NULL OR retry_at > $now)));

-- name: expire_messages
-- What is older. A message whose date lies in the future comes up until that date is over.
DELETE FROM messages WHERE greatest(done_at, received) < ?;
