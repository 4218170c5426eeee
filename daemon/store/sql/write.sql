-- The statements of the writer. {rows} stands for the rows of the batch.

-- name: number_commit
-- The batch has this number.
INSERT INTO commits VALUES (?);

-- name: last_commit
-- The number of the last batch that is on disk.
SELECT coalesce(max(number), 0) FROM commits;

-- name: tables
-- All tables, in the order of their names.
SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY table_name;

-- name: read_all
-- Every value of a table, read.
SELECT count(*), bit_xor(hash(line)) FROM {table} AS line;

-- name: forget_commits
-- All but the last.
DELETE FROM commits WHERE number < (SELECT max(number) FROM commits);

-- name: insert_runs
-- Runs that began.
INSERT INTO runs BY NAME
SELECT *, 'running' AS status, 'idle' AS state, '' AS step,
       0 AS succeeded, 0 AS failed, 0 AS skipped, 0 AS retryable
FROM {rows};

-- name: count_in_running
-- What runs did that go on. The end of one says it all anew.
UPDATE runs SET
    succeeded = runs.succeeded + more.succeeded, failed = runs.failed + more.failed,
    skipped = runs.skipped + more.skipped, retryable = runs.retryable + more.retryable
FROM {rows} AS more WHERE runs.run_id = more.run_id;

-- name: end_runs
-- Runs that ended.
UPDATE runs SET
    status = ended.status, state = ended.state, step = ended.step, ended_at = ended.ended_at,
    duration_seconds = ended.duration_seconds, succeeded = ended.succeeded, failed = ended.failed,
    skipped = ended.skipped, retryable = ended.retryable, category = ended.category,
    progress_current = ended.progress_current, progress_total = ended.progress_total,
    error_message = ended.error_message, user_message = ended.user_message,
    suggested_action = ended.suggested_action, top_errors = ended.top_errors
FROM {rows} AS ended WHERE runs.run_id = ended.run_id;

-- name: end_cycles
-- Cycles that ended.
UPDATE cycles SET
    ended_at = ended.ended_at, outcome = ended.outcome, duration_seconds = ended.duration_seconds
FROM {rows} AS ended WHERE cycles.cycle_id = ended.cycle_id;

-- name: insert_failures
-- New failures, which are open.
INSERT INTO failures BY NAME
SELECT *, 'open' AS status, error_time AS updated_at FROM {rows};

-- name: insert_groups
-- Groups that were not there yet.
INSERT INTO failure_groups BY NAME
SELECT * FROM {rows} AS fresh
WHERE fresh.failure_group NOT IN (SELECT failure_group FROM failure_groups);

-- name: last_attempts
-- The numbers of the last attempts at items that have unresolved failures: those of the batch's own
-- runs by run, those of all others as one.
SELECT item_key,
       CASE WHEN run_id IN (SELECT unnest(from_json($runs, '["VARCHAR"]'))) THEN run_id ELSE '' END AS run,
       max(attempt)
FROM failures
WHERE status <> 'resolved' AND item_key IN (SELECT unnest(from_json($items, '["UBIGINT"]')))
GROUP BY ALL;

-- name: find_changes
-- Failures whose status changes because of what was decided about their item. What is resolved stays so.
CREATE OR REPLACE TEMP TABLE changes AS
SELECT f.id, f.error_time, f.pipeline, f.source, f.category, f.retryable, f.failure_group,
       f.status AS old_status,
       CASE WHEN bool_or(d.status = 'resolved') THEN 'resolved'
            ELSE arg_max(d.status, d.position) END AS new_status,
       coalesce(arg_min(d.decided_at, d.position) FILTER (d.status = 'resolved'),
                arg_min(d.decided_at, d.position)) AS decided_at
FROM failures AS f JOIN {rows} AS d 
    ON f.item_key = d.item_key AND f.id < d.before_id AND f.run_id <> d.run_id
WHERE f.status <> 'resolved'
GROUP BY ALL
HAVING new_status <> old_status;

-- name: apply_changes
-- Gives them their new status.
UPDATE failures SET status = changes.new_status, updated_at = changes.decided_at
FROM changes WHERE failures.id = changes.id;

-- name: tally_changes
-- Counts them where they now belong.
INSERT INTO failure_tally
SELECT error_time::DATE, pipeline, source, category, retryable, status, failure_group,
       sum(n), min(error_time), max(error_time)
FROM (SELECT *, old_status AS status, -1 AS n FROM changes
      UNION ALL SELECT *, new_status AS status, 1 AS n FROM changes)
GROUP BY ALL;

-- name: summed_changes
-- The same for the counts in memory.
SELECT pipeline, source, category, retryable, status, sum(n)::BIGINT
FROM (SELECT *, old_status AS status, -1 AS n FROM changes
      UNION ALL SELECT *, new_status AS status, 1 AS n FROM changes)
GROUP BY ALL;

-- name: resume_pipeline
-- A pipeline is not paused any more.
DELETE FROM paused_pipelines WHERE pipeline = ?;

-- name: pause_pipeline
-- A pipeline is paused.
INSERT INTO paused_pipelines VALUES (?, ?);

-- name: interrupt_runs
-- Runs that the daemon died in.
UPDATE runs SET status = 'interrupted', state = 'error', ended_at = greatest(started_at, ?),
    error_message = 'The daemon stopped while this run was under way.',
    user_message = 'The daemon stopped while this run was under way.',
    suggested_action = 'Nothing: the source is processed again in the next cycle.'
WHERE status = 'running';

-- name: interrupt_cycles
-- Cycles that the daemon died in.
UPDATE cycles SET outcome = 'interrupted', ended_at = greatest(started_at, ?) WHERE outcome IS NULL;

-- name: forget_failures
-- Failures before a time that are dealt with, or that a person has made quiet.
DELETE FROM failures WHERE error_time < $start AND id NOT IN (
    WITH {decided_groups}
    SELECT id FROM failures LEFT JOIN decided ON member IS NOT DISTINCT FROM failure_group
    WHERE error_time < $start AND status IN ('open', 'retrying') AND NOT {is_quiet});

-- name: tally_before
-- The tally of the failures that are left of a time.
INSERT INTO failure_tally
SELECT error_time::DATE, pipeline, source, category, retryable, status, failure_group,
       count(*), min(error_time), max(error_time)
FROM failures WHERE error_time < ? GROUP BY ALL;

-- name: forget_run_log
-- The logs of runs before a time that no failure is left of.
DELETE FROM run_log WHERE logged_at < $start AND run_id NOT IN (SELECT run_id FROM failures WHERE error_time < $later);

-- name: forget_runs
-- These runs.
DELETE FROM runs WHERE started_at < $start AND status <> 'running'
    AND run_id NOT IN (SELECT run_id FROM failures WHERE error_time < $later);

-- name: crowded_days
-- Days of which the tally has several rows for the same. A hash that is there twice by chance does no harm.
SELECT day FROM failure_tally GROUP BY day
HAVING count(*) > count(DISTINCT hash(pipeline, source, category, retryable, status, failure_group));

-- name: compact_day_1
-- Sums the tally of a day up ...
CREATE OR REPLACE TEMP TABLE compacted AS
SELECT day, pipeline, source, category, retryable, status, failure_group, sum(n)::BIGINT AS n,
       min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM failure_tally WHERE day = ? GROUP BY ALL HAVING sum(n) <> 0;

-- name: compact_day_2
-- ... and replaces it.
DELETE FROM failure_tally WHERE day = ?;

-- name: compact_day_3
-- (the sums)
INSERT INTO failure_tally SELECT * FROM compacted;
