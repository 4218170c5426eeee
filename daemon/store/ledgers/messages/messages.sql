-- The statements about mail messages that are done.

-- name: messages_in_folder
-- Those of a chunk. It is a range of UIDs: comparing two numbers first is twice as fast as a join with the list.
SELECT uid FROM messages
WHERE uid BETWEEN ? AND ? AND uidvalidity = ? AND folder = ? AND source = ? AND pipeline = ?;

-- name: messages_by_gmail_id
-- Those of a chunk by Gmail's id, which they keep in every folder.
SELECT gm_msgid FROM messages
WHERE gm_msgid IN (SELECT unnest(?::UBIGINT[])) AND source = ? AND pipeline = ?;

-- name: messages_set_aside
-- Messages that failed and are not to be tried again by themselves, by the keys of their items.
WITH latest AS (
    SELECT max(id) AS id FROM failures WHERE item_key IN (SELECT unnest($keys::UBIGINT[]))
    GROUP BY item_key)
SELECT item_key FROM failures WHERE id IN (FROM latest)
   AND (status IN ('quarantined', 'ignored')
        OR (status = 'open' AND (retry_at IS NULL OR retry_at > $now)));

-- name: expire_messages
-- What is older. A message whose date lies in the future comes up until that date is over.
DELETE FROM messages WHERE greatest(done_at, received) < ?;
