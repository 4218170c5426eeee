-- How far each mailbox was looked through: after a time without a run the next one goes back to there.

ALTER TABLE mailboxes ADD COLUMN folder VARCHAR;
ALTER TABLE mailboxes ADD COLUMN reach TIMESTAMP;

UPDATE mailboxes SET reach = (
    SELECT max(started_at) FROM runs
    WHERE runs.pipeline = mailboxes.pipeline AND runs.source = mailboxes.source
       AND runs.status IN ('success', 'partial'));
