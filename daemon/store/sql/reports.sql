-- What reports read. {where} stands for conditions.

-- name: mark_of_run
-- Runs that failed, as marks on a graph.
SELECT started_at AS time, ended_at AS time_end, [pipeline] AS pipelines, [source] AS sources,
       format('Run {}: {}/{}', status, pipeline, source) AS title,
       concat_ws(' ', user_message, suggested_action) AS text,
       list_filter(['run', status, pipeline, source, category], lambda tag: tag IS NOT NULL) AS tags
FROM runs WHERE status IN ('failed', 'interrupted');

-- name: mark_of_group
-- Decisions about failure groups, as marks.
SELECT decided_at AS time, CASE WHEN until > decided_at THEN until END AS time_end,
       [pipeline] AS pipelines, []::VARCHAR[] AS sources, 'Group ' || decision AS title,
       concat_ws(' ', message, '(' || failure_group || ').', note, 'By ' || decided_by || '.') AS text,
       ['group', decision, pipeline, category] AS tags
FROM group_decisions JOIN failure_groups USING (failure_group);

-- name: mark_of_retry
-- Retries that people asked for, as marks.
SELECT asked_at AS time, ended_at AS time_end,
       coalesce(targets.pipelines, []) AS pipelines, coalesce(targets.sources, []) AS sources,
       'Retry ' || state AS title, format('{} items, asked for by {}.', selected, asked_by) AS text,
       list_concat(['retry', state], coalesce(targets.pipelines, [])) AS tags
FROM retry_operations LEFT JOIN (
    SELECT operation_id, list_sort(list(DISTINCT pipeline)) AS pipelines,
           list_sort(list(DISTINCT source)) AS sources
    FROM retry_targets GROUP BY operation_id) AS targets USING (operation_id);

-- name: mark_of_pause
-- Pipelines that are paused, as marks.
SELECT paused_at AS time, NULL::TIMESTAMP AS time_end, [pipeline] AS pipelines,
       []::VARCHAR[] AS sources, 'Paused: ' || pipeline AS title,
       'No cycle starts by itself until it is resumed.' AS text, ['pause', pipeline] AS tags
FROM paused_pipelines;

-- name: newest_marks
-- The newest of {marks}.
SELECT time, time_end, title, text, tags FROM ({marks}) WHERE {where}
ORDER BY time DESC, title, text LIMIT ?;

-- name: check_pattern
-- Fails for a regular expression that RE2 does not take.
SELECT regexp_full_match('', ?);

-- name: failure_cells
-- The failures of {counted} with the stretch that each is in ({bucket}) and {dimensions}.
SELECT {dimensions} {bucket} AS bucket, n FROM ({counted});

-- name: run_cells
-- Runs with the stretch that each began in.
SELECT {dimensions} {bucket} AS bucket, 1 AS n, duration_seconds, succeeded, failed, skipped
FROM runs WHERE {where};

-- name: series
-- Figures of {cells} over time, for the combinations of dimensions with most and one of all others.
-- {listed} are the dimensions, {shown} what of them is told, {same} joins by them. The cells are read twice: once to
-- choose, and once to count no more stretches than are told. Counting all of them at once takes many times the memory.
WITH cells AS NOT MATERIALIZED ({cells}),
top AS MATERIALIZED (
    SELECT {listed}row_number() OVER (ORDER BY sum(n) DESC, {listed}1) - 1 AS place
    FROM cells {grouped} HAVING sum(n) <> 0)
SELECT least(place, ?), (SELECT count(*) FROM top), {shown}bucket, {figures}
FROM cells JOIN top ON {same} GROUP BY ALL ORDER BY 1, bucket;

-- name: latest_by_source
-- The latest run of each source that ever ran.
SELECT pipeline, source, arg_max(status, run_id), max(started_at) FROM runs GROUP BY pipeline, source;

-- name: table_of_cycles
-- Cycles with what their runs came to, newest first.
WITH page AS (
    SELECT * FROM cycles WHERE {where} ORDER BY started_at DESC, cycle_id DESC LIMIT ? OFFSET ?)
SELECT page.cycle_id, page.pipeline, page.started_by, page.started_at, page.ended_at, outcome,
       page.duration_seconds, count(runs.run_id), count(*) FILTER (runs.status = 'failed'),
       coalesce(sum(runs.failed), 0)::BIGINT
FROM page LEFT JOIN runs ON runs.cycle_id = page.cycle_id
GROUP BY ALL ORDER BY page.started_at DESC, page.cycle_id DESC;

-- name: values_of_pipeline
-- Pipelines that ever ran.
SELECT DISTINCT pipeline, pipeline FROM runs;

-- name: values_of_source
-- Sources that ever ran.
SELECT DISTINCT pipeline, source FROM runs;

-- name: values_of_rule
-- Rules that ever matched.
SELECT DISTINCT pipeline, rule FROM failure_groups;

-- name: values_of_step
-- Steps that anything ever failed in.
SELECT DISTINCT pipeline, step FROM failure_groups;

-- name: group_tally
-- What the tally has of groups.
SELECT failure_group, n, last_seen FROM failure_tally;

-- name: values_of_group
-- Failure groups, those with the newest failures first.
SELECT message, failure_group FROM ({counted}) JOIN failure_groups USING (failure_group)
WHERE ?::VARCHAR[] IS NULL OR list_contains(?, pipeline)
GROUP BY ALL HAVING sum(n) > 0 ORDER BY max(last_seen) DESC, failure_group LIMIT ?;
