-- The statements about the files that ingestions track. {rows} stands for the rows of a batch.

-- name: mark_files
-- What a person decided about files. A file to be retried is due at once.
UPDATE files SET status = marks.status, retry_at = NULL
FROM {rows} AS marks
WHERE files.pipeline = marks.pipeline AND files.source = marks.source AND files.path = marks.path;

-- name: replace_files
-- New rows of files. Of several causes in one run the first, which is the largest, describes a file. No run begins
-- with a file that is set aside: one that says something of it began before, and a person's decision holds. A version
-- that is seen again arrived when it was first seen.
MERGE INTO files USING (
    SELECT found.* REPLACE (coalesce(found.arrived_at, before.arrived_at) AS arrived_at)
    FROM {rows} AS found LEFT JOIN files AS before
        ON before.pipeline = found.pipeline AND before.source = found.source AND before.path = found.path
) AS fresh
ON files.pipeline = fresh.pipeline AND files.source = fresh.source AND files.path = fresh.path
WHEN MATCHED AND files.run_id <> fresh.run_id AND files.status NOT IN ('quarantined', 'ignored') THEN UPDATE BY NAME
WHEN NOT MATCHED THEN INSERT BY NAME;

-- name: known_files
-- All files of an ingestion, or those wanted, by the key that stands for a path. Rights change without a trace in a
-- file's size or time: what could not be read is due in every cycle. What failed under another version of the
-- configuration is due as well.
SELECT ('0x' || left(sha256(path), 16))::UBIGINT AS key, size, mtime_ns, content_hash, status, rows_loaded,
       status = 'retrying' OR (status IN ('failed', 'partial') AND coalesce(retry_at <= $now, false))
           OR (status = 'failed' AND content_hash = '' AND category = 'permission')
           OR (status IN ('failed', 'partial') AND run_id IN (SELECT run_id FROM runs
               WHERE pipeline = $pipeline AND source = $source AND source_version <> $version)),
       run_id
FROM files WHERE pipeline = $pipeline AND source = $source
   AND ($wanted IS NULL OR path IN (SELECT unnest($wanted::VARCHAR[])))
ORDER BY key;

-- name: closed_folders
-- Folders of an ingestion that could not be listed so far; their names end with a slash.
SELECT DISTINCT item FROM failures
WHERE pipeline = ? AND source = ? AND status IN ('open', 'retrying') AND ends_with(item, '/');

-- name: newest_arrival
-- When the newest file of an ingestion came; of one that never had any, when it was first looked for.
SELECT coalesce(
    (SELECT max(arrived_at) FROM files WHERE pipeline = $pipeline AND source = $source),
    (SELECT min(started_at) FROM runs WHERE pipeline = $pipeline AND source = $source));

-- name: file_badges
-- Ingestions at a glance.
SELECT source, count(*),
       count(*) FILTER (status = 'success'), count(*) FILTER (status = 'partial'),
       count(*) FILTER (status = 'failed'), count(*) FILTER (status = 'retrying'),
       count(*) FILTER (status = 'quarantined'), count(*) FILTER (status = 'ignored'),
       count(*) FILTER (status IN ('failed', 'partial')),
       count(*) FILTER (status IN ('failed', 'partial') AND retryable),
       max(last_attempt) FILTER (status IN ('failed', 'partial', 'retrying')),
       mode(category) FILTER (status IN ('failed', 'partial', 'retrying')),
       sum(rows_loaded)::BIGINT, sum(rows_rejected)::BIGINT
FROM files WHERE pipeline = $pipeline AND ($source IS NULL OR source = $source) GROUP BY source;

-- name: waiting_files
-- Files that wait for another attempt.
SELECT pipeline, source, path AS item FROM files
WHERE status = 'retrying' OR (status IN ('failed', 'partial') AND retry_at IS NOT NULL);

-- name: tracked_files
-- How those of some paths stand that are tracked.
SELECT path, status FROM files
WHERE pipeline = ? AND source = ? AND path IN (SELECT unnest(?::VARCHAR[]));

-- name: rejects_of_files
-- Paths with rejected rows, and the names of the files that hold those rows.
SELECT path, rejects FROM files
WHERE pipeline = ? AND source = ? AND rejects IS NOT NULL ORDER BY path;
