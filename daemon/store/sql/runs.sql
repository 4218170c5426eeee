-- Runs and cycles as they are read. {columns} stands for those of a record, {where} for conditions.

-- name: newest_runs
-- A page of runs.
SELECT {columns} FROM runs WHERE {where} ORDER BY run_id DESC LIMIT ? OFFSET ?;

-- name: count_runs
-- How many runs match.
SELECT count(*) FROM runs WHERE {where};

-- name: run_by_id
-- One run.
SELECT {columns} FROM runs WHERE run_id = ?;

-- name: latest_runs_by_source
-- The newest run of each source of a pipeline.
SELECT {columns} FROM runs
WHERE run_id IN (SELECT max(run_id) FROM runs WHERE pipeline = ? GROUP BY source);

-- name: some_runs
-- Those of some runs that match, newest first.
SELECT {columns} FROM runs WHERE {where} AND list_contains(?, run_id) ORDER BY run_id DESC;

-- name: is_idle
-- Whether nothing came of a run and nothing failed in it: there was nothing to do, but for what is known to be broken.
(status IN ('success', 'partial') AND succeeded = 0 AND failed = 0)

-- name: idle_streaks
-- Sources whose latest run was idle: that run, how many there were in a row, and when the first of them ended.
WITH busy AS (
    SELECT pipeline, source, max(run_id) AS last_busy FROM runs
    WHERE status <> 'running' AND NOT {is_idle} GROUP BY ALL)
SELECT pipeline, source, max(run_id), count(*), min(ended_at)
FROM runs LEFT JOIN busy USING (pipeline, source)
WHERE {is_idle} AND (last_busy IS NULL OR run_id > last_busy) GROUP BY ALL;

-- name: last_cycles
-- When the last cycle of each pipeline ended.
SELECT pipeline, max(ended_at) FROM cycles WHERE outcome <> 'interrupted' GROUP BY ALL;

-- name: newest_run
-- When the run that was stored last began.
SELECT started_at FROM runs ORDER BY rowid DESC LIMIT 1;

-- name: run_days
-- When the oldest run began, and on how many days between two moments any did.
SELECT min(started_at), count(DISTINCT started_at::DATE) FILTER (started_at BETWEEN ? AND ?) FROM runs;

-- name: retried_runs
-- Runs since a moment that were retries.
SELECT pipeline, source, category, started_at FROM runs WHERE started_by = 'retry' AND started_at >= ?;

-- name: paused_pipelines
-- Pipelines that a person paused.
SELECT pipeline FROM paused_pipelines;

-- name: failed_sources
-- Sources whose latest run failed as a whole, and the version of their configuration then.
SELECT f.pipeline, f.source, f.run_id, f.category, f.retryable, f.attempt, f.error_time, f.retry_at,
       r.source_version
FROM failures AS f JOIN runs AS r USING (run_id)
WHERE f.item IS NULL AND f.status = 'open' ORDER BY f.id;

-- name: run_log
-- What happened in a run, in order: its steps and its failures.
SELECT logged_at, event, text, NULL, NULL, NULL, failure_id FROM run_log WHERE run_id = $run
UNION ALL
SELECT error_time, 'failure', error_message, item, category, retryable, id FROM failures
WHERE run_id = $run AND error_time >= $since
ORDER BY 1, 7, 2;

-- name: run_statistics
-- What the runs of each source came to.
SELECT pipeline, source, count(*),
       count(*) FILTER (status = 'success'), count(*) FILTER (status = 'partial'),
       count(*) FILTER (status = 'failed'), count(*) FILTER (status = 'interrupted'),
       count(*) FILTER (status = 'cancelled'),
       sum(succeeded)::BIGINT, sum(failed)::BIGINT, sum(skipped)::BIGINT,
       avg(duration_seconds), median(duration_seconds), quantile_cont(duration_seconds, 0.95),
       max(started_at), max(ended_at) FILTER (status = 'success')
FROM runs WHERE {where} GROUP BY ALL ORDER BY ALL;
