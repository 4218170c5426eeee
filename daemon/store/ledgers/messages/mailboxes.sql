-- The statements about the mailboxes that mail sources stand for.

-- name: known_mailboxes
-- Those of a pipeline, by source.
SELECT source, mailbox FROM mailboxes WHERE pipeline = ?;

-- name: drop_mailbox
-- Makes room for another one.
DELETE FROM mailboxes WHERE pipeline = ? AND source = ?;

-- name: add_mailbox
-- What a source stands for from now on.
INSERT INTO mailboxes (pipeline, source, mailbox) VALUES (?, ?, ?);

-- name: mailbox_reach
-- How far a source's folder was looked through.
SELECT reach FROM mailboxes
WHERE pipeline = $pipeline AND source = $source AND reach IS NOT NULL AND coalesce(folder, $folder) = $folder;

-- name: set_mailbox_reach
-- It was looked through further, unless the source stands for another mailbox by now.
UPDATE mailboxes SET folder = ?, reach = ? WHERE pipeline = ? AND source = ? AND mailbox = ?;

-- name: forget_messages
-- What was done in another mailbox of the same name: its numbers may come up in the new one.
DELETE FROM messages WHERE pipeline = ? AND source = ?;

-- name: detach_failures
-- Failures of messages of another mailbox stay as they are: no message of the new one resolves them, repeats them
-- or is held back by them.
UPDATE failures SET item_key = hash(item_key) WHERE pipeline = ? AND source = ? AND item IS NOT NULL;
