-- Retry operations. {where} stands for the failures that were asked for, {choice} for their items, and
-- {counted} for how many these are.

-- name: choose_items
-- The items of these failures (one part of them, by their keys), each with its newest failure and why
-- it is left out, if it is. Attempts count the runs that failed on an item since it last succeeded. Of
-- the causes of the last one one that a retry cannot help decides: it makes `last` odd.
WITH chosen AS (
    SELECT item_key, count(*) AS failures, max(attempt) FILTER (status <> 'resolved') AS attempt
    FROM failures WHERE {where} AND item_key % ? = ? GROUP BY item_key),
newest AS (
    SELECT item_key, max(id) AS failure_id,
           max(attempt * 2 + (NOT retryable)::INTEGER) FILTER (status <> 'resolved') AS last
    FROM failures WHERE item_key IN (SELECT item_key FROM chosen) GROUP BY item_key),
asked AS (
    SELECT item_key FROM retry_targets JOIN retry_operations USING (operation_id)
    WHERE outcome IS NULL AND state IN ('pending', 'running'))
SELECT failure_id, pipeline, source, item, chosen.item_key, chosen.failures,
       CASE WHEN chosen.attempt IS NULL THEN 'resolved'
            WHEN status IN ('quarantined', 'ignored') THEN 'set_aside'
            WHEN last // 2 > chosen.attempt THEN 'superseded'
            WHEN last % 2 = 1 AND NOT ?::BOOLEAN THEN 'not_retryable'
            WHEN chosen.item_key IN (SELECT item_key FROM asked) THEN 'in_other_operation'
       END AS left_out
FROM chosen JOIN newest USING (item_key) JOIN failures ON failures.id = newest.failure_id

-- name: count_choice
-- How many there are, and how many are left out for which reason.
SELECT coalesce(sum(failures), 0)::BIGINT AS failures, count(*) AS selected,
       count(*) FILTER (left_out = 'not_retryable') AS not_retryable,
       count(*) FILTER (left_out = 'resolved') AS resolved,
       count(*) FILTER (left_out = 'set_aside') AS set_aside,
       count(*) FILTER (left_out = 'superseded') AS superseded,
       count(*) FILTER (left_out = 'in_other_operation') AS in_other_operation
FROM {choice}

-- name: insert_retry_targets
-- What is to be retried.
INSERT INTO retry_targets BY NAME
SELECT ? AS operation_id, failure_id, pipeline, source, item, item_key
FROM retry_choice WHERE left_out IS NULL;

-- name: insert_retry_operation
-- The operation itself.
INSERT INTO retry_operations BY NAME SELECT *, 'pending' AS state FROM {rows};

-- name: write_retry_results
-- What came of items. A result is final.
UPDATE retry_targets SET
    outcome = fresh.outcome, reason = fresh.reason, new_failure_id = fresh.new_failure_id,
    category = fresh.category, ended_at = ?
FROM {rows} AS fresh
WHERE retry_targets.operation_id = ? AND retry_targets.failure_id = fresh.failure_id
  AND retry_targets.outcome IS NULL;

-- name: begin_retry_operation
-- An operation began.
UPDATE retry_operations SET state = 'running', started_at = ?
WHERE operation_id = ? AND state = 'pending';

-- name: end_retry_operation
-- An operation ended, in whatever way. The end is final.
UPDATE retry_operations SET state = ?, ended_at = ?, error = ?
WHERE operation_id = ? AND state IN ('pending', 'running');

-- name: retry_targets_to_do
-- The next items of a source without a result, each with what has come of it since the operation was
-- asked for: whether its failure is resolved, and the first failure of a run that began later.
WITH target AS (
    SELECT failure_id, pipeline, source, item, item_key FROM retry_targets
    WHERE operation_id = $operation AND pipeline = $pipeline AND source = $source AND outcome IS NULL
    ORDER BY failure_id LIMIT $limit),
before AS (
    SELECT id, status FROM failures WHERE id IN (SELECT failure_id FROM target)),
later AS (
    SELECT item_key, min(id) AS id, arg_min(category, id) AS category FROM failures
    WHERE item_key IN (SELECT item_key FROM target) AND error_time >= $asked_at
      AND run_id > $operation AND status <> 'resolved'
    GROUP BY item_key)
SELECT failure_id, pipeline, source, item, target.item_key,
       coalesce(before.status = 'resolved', false), later.id, later.category
FROM target LEFT JOIN before ON before.id = target.failure_id
    LEFT JOIN later ON later.item_key = target.item_key
ORDER BY failure_id

-- name: items_waiting
-- Items that wait for another attempt, by pipeline: those that wait in ledgers, and those that operations have
-- still to retry besides.
WITH waiting AS ({waiting}),
to_do AS (
    SELECT pipeline, source, item FROM retry_targets JOIN retry_operations USING (operation_id)
    WHERE outcome IS NULL AND state IN ('pending', 'running'))
SELECT pipeline, count(*) FROM (
    SELECT pipeline FROM waiting
    UNION ALL
    SELECT pipeline FROM to_do ANTI JOIN waiting USING (pipeline, source, item))
GROUP BY ALL;

-- name: retry_operation
-- One operation. {columns} stands for those of a record.
SELECT {columns} FROM retry_operations WHERE operation_id = ?;

-- name: newest_retry_operations
-- A page of operations.
SELECT {columns} FROM retry_operations
WHERE operation_id < coalesce(?, '~') ORDER BY operation_id DESC LIMIT ?;

-- name: count_retry_operations
-- How many there are.
SELECT count(*) FROM retry_operations;

-- name: unfinished_retry_operations
-- Operations that have not ended, oldest first.
SELECT {columns} FROM retry_operations WHERE state IN ('pending', 'running') ORDER BY operation_id;

-- name: retry_progress
-- How far operations are, by source.
SELECT operation_id, pipeline, source, count(*),
       count(*) FILTER (outcome = 'succeeded'), count(*) FILTER (outcome = 'failed_again'),
       count(*) FILTER (outcome = 'not_retried')
FROM retry_targets WHERE list_contains(?::VARCHAR[], operation_id)
GROUP BY ALL ORDER BY ALL;

-- name: unknown_failures
-- Those of some ids that are no stored failures.
SELECT DISTINCT id FROM (SELECT unnest(?::BIGINT[]) AS id) ANTI JOIN failures USING (id) ORDER BY id;

-- name: retry_sources_to_do
-- Pipelines and sources that have items without a result.
SELECT DISTINCT pipeline, source FROM retry_targets
WHERE operation_id = ? AND outcome IS NULL ORDER BY ALL;

-- name: retry_run
-- The run of a cycle of one source, with its own failure, if it has one.
SELECT r.status, min(f.id), arg_min(f.category, f.id) FROM runs AS r LEFT JOIN failures AS f
    ON f.run_id = r.run_id AND f.item IS NULL AND f.error_time >= r.started_at
WHERE r.cycle_id = ? GROUP BY r.run_id, r.status;

-- name: count_unsuccessful
-- How many items an operation failed on.
SELECT count(*) FROM retry_targets
WHERE operation_id = ? AND outcome IN ('failed_again', 'not_retried');

-- name: unsuccessful
-- A page of them, by the id of the failure.
SELECT {columns} FROM retry_targets
WHERE operation_id = ? AND outcome IN ('failed_again', 'not_retried') AND failure_id > ?
ORDER BY failure_id LIMIT ?;
