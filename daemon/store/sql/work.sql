-- Work that waits for its turn, and is kept until it is done.

-- name: queue_work
-- What was asked for.
INSERT INTO work BY NAME SELECT *, 'queued' AS state, 0 AS claims FROM {rows};

-- name: claim_work
-- It has its turn.
UPDATE work SET state = 'claimed', claims = claims + 1 WHERE cycle_id = ? AND source = ?;

-- name: release_work
-- It was interrupted in good order.
UPDATE work SET state = 'queued', claims = 0 WHERE cycle_id = ? AND source = ?;

-- name: finish_work
-- It is done.
DELETE FROM work WHERE cycle_id = ? AND source = ?;

-- name: forget_finished_work
-- What was done when the daemon died, though that was not on disk yet: its run had ended.
DELETE FROM work WHERE state = 'claimed' AND EXISTS (
    SELECT 1 FROM runs WHERE runs.cycle_id = work.cycle_id AND runs.source = work.source
        AND runs.status NOT IN ('running', 'interrupted'));

-- name: release_all_work
-- Nobody has a turn when the daemon starts.
UPDATE work SET state = 'queued' WHERE state = 'claimed';

-- name: read_work
-- All work, oldest first, with whether its cycle has begun.
SELECT cycle_id, pipeline, source, started_by, priority, asked_at, claims,
       EXISTS (SELECT 1 FROM cycles WHERE cycles.cycle_id = work.cycle_id) AS begun
FROM work ORDER BY asked_at, rowid;
