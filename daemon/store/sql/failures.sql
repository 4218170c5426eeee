-- Failures as they are read. {columns} stands for those of a record, {where} for conditions,
-- {counted} for a relation with the columns of failure_tally.

-- name: failure_by_id
-- One failure.
SELECT {columns} FROM failures WHERE id = ?;

-- name: next_failure_id
-- The id of the next failure.
SELECT coalesce(max(id), 0) + 1 FROM failures;

-- name: newest_failure_id
-- The highest id there is.
SELECT coalesce(max(id), 0) FROM failures;

-- name: failures_after
-- The newest failures above an id.
SELECT {columns} FROM failures WHERE id > ? ORDER BY id DESC LIMIT ?;

-- name: newest_failures
-- The newest matches of some days, all read whole. For few matches.
SELECT {columns} FROM failures WHERE {where} ORDER BY error_time DESC, id DESC LIMIT ?;

-- name: newest_failures_of_many
-- The same for many: only the newest are read whole, after narrow columns have said which they are.
-- They come as they lie in the table.
SELECT {columns} FROM failures WHERE rowid IN (
    SELECT rowid FROM failures WHERE {where} ORDER BY error_time DESC, id DESC LIMIT ?);

-- name: failure_at
-- Where the match of a number, newest first, is.
SELECT error_time, id FROM failures WHERE {where} ORDER BY error_time DESC, id DESC LIMIT 1 OFFSET ?;

-- name: export_failures
-- Failures for a CSV, with the groups under which they are shown.
SELECT {columns} FROM failures {with_merges} WHERE {where} {tail};

-- name: each_failure_counted
-- Failures with n, as the tally has it.
SELECT *, 1 AS n FROM failures WHERE {where};

-- name: counted_from_failures
-- What the tally would have of some failures.
SELECT error_time::DATE AS day, pipeline, source, category, retryable, status, failure_group,
       1 AS n, error_time AS first_seen, error_time AS last_seen
FROM failures WHERE {where};

-- name: counted_from_tally
-- What the tally has.
SELECT day, pipeline, source, category, retryable, status, failure_group, n, first_seen, last_seen
FROM failure_tally WHERE {where};

-- name: total
-- How many failures that is.
SELECT coalesce(sum(n), 0)::BIGINT FROM ({counted});

-- name: tally_by_day
-- Days with matches, newest first.
SELECT day, sum(n)::BIGINT FROM ({counted}) GROUP BY day HAVING sum(n) > 0 ORDER BY day DESC;

-- name: days_of_tally
-- Days that may hold matches.
SELECT day, n FROM failure_tally WHERE {where};

-- name: counts_by_key
-- How many there are by {key}, largest first.
SELECT {key}, sum(n)::BIGINT FROM ({counted}) GROUP BY ALL HAVING sum(n) > 0 ORDER BY 2 DESC, 1;

-- name: counts_by_source
-- How many there are by source and category, largest first.
SELECT pipeline, source, category, sum(n)::BIGINT FROM ({counted})
GROUP BY ALL HAVING sum(n) > 0 ORDER BY 4 DESC, 1, 2, 3;

-- name: trend
-- How many there are by stretches of time and {key}, of its most frequent values.
WITH found AS (
    SELECT time_bucket(to_microseconds(?), {time}::TIMESTAMP) AS start, {key}, sum(n)::BIGINT AS n
    FROM ({counted}) GROUP BY ALL),
top AS (SELECT {key} FROM found GROUP BY ALL ORDER BY sum(n) DESC, {key} LIMIT ?)
SELECT start, {key}, n FROM found SEMI JOIN top USING ({key}) WHERE n > 0 ORDER BY ALL;

-- name: times_of_run
-- When a run began and ended.
SELECT started_at, ended_at FROM runs WHERE run_id = ?;

-- name: standing_counts
-- The counts in memory, as the tally has them.
SELECT pipeline, source, category, retryable, status, sum(n)::BIGINT FROM failure_tally GROUP BY ALL;

-- name: with_merges
-- What tells the group under which rows with a failure_group are shown (`shown_as`, if another). Not
-- by =: where no group of a query was merged, DuckDB 2.0.0 then takes the left join for empty.
LEFT JOIN (SELECT failure_group AS member, shown_as FROM group_merges)
    ON member IS NOT DISTINCT FROM failure_group;

-- name: as_shown
-- The same relation with the groups under which failures are shown.
SELECT * EXCLUDE (member, shown_as) REPLACE ({shown_group} AS failure_group) FROM ({counted}) {with_merges};

-- name: unmatched_groups
-- Groups that no rule recognised, most failures first.
WITH found AS (
    SELECT failure_group, sum(n)::BIGINT AS count,
           list_sort(list(DISTINCT source))[:20] AS sources,
           min(first_seen) AS first_seen, max(last_seen) AS last_seen
    FROM ({counted}) GROUP BY failure_group HAVING sum(n) > 0)
SELECT failure_group, pipeline, exception_type, message, count, sources, first_seen, last_seen,
       count(*) OVER ()
FROM found JOIN failure_groups USING (failure_group) WHERE rule = ?
ORDER BY count DESC, last_seen DESC, failure_group LIMIT ? OFFSET ?;

-- name: newest_messages
-- The newest message of some groups, within a stretch of time.
SELECT failure_group, arg_max(error_message, id) FROM failures
WHERE list_contains(?, failure_group) AND error_time BETWEEN ? AND ? GROUP BY failure_group;
