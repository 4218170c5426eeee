-- Fills an empty store with failures as three months of use leave them. $n is their number,
-- $last the time of the newest. Everything follows from hashes of the ids, so it is the same every time.

CREATE TEMP TABLE sources AS
SELECT s AS number, ['mail', 'upload', 'ingest', 'nightly'][1 + s // 10] AS pipeline,
       format('{}-{:02d}', ['account', 'customer', 'folder', 'job'][1 + s // 10], s % 10) AS source
FROM range(40) AS t(s);

-- Causes, 75 to a pipeline; a few categories are frequent, most are rare.
CREATE TEMP TABLE causes AS
SELECT g AS number, ['mail', 'upload', 'ingest', 'nightly'][1 + g // 75] AS pipeline,
       ['connecting', 'fetching', 'processing', 'writing'][1 + g % 4] AS step, category, template,
       category IN ('connection', 'rate_limit', 'service_unavailable') AS retryable,
       format('rule-{}', g % 60) AS rule,
       CASE WHEN g % 3 > 0 THEN ['ValueError', 'ConnectionResetError', 'duckdb.ConversionException',
           'httpx.ReadTimeout', 'imaplib.IMAP4.error'][1 + g % 5] END AS exception_type,
       format('What was tried did not work: {}.', replace(category, '_', ' ')) AS user_message,
       'Look at the log of the run, repair what it names, and run the source again.'
           AS suggested_action,
       format('{:016x}', hash('group', g)) AS failure_group
FROM range(300) AS t(g), LATERAL (SELECT floor(15 * pow(hash(g) % 1000 / 1000.0, 2)) AS k)
JOIN (VALUES
    (0, 'schema_mismatch', 'could not convert string "n/a-{}" in column {} to DECIMAL(10,2)'),
    (1, 'connection', 'connection to port {} was reset after {} bytes while the answer was read'),
    (2, 'validation', 'record {}: field {} is required but is missing or empty'),
    (3, 'service_unavailable', 'HTTP 503 from the remote service for batch {} at attempt {}: '
        || 'upstream connect error or disconnect before headers; reset reason: connection timeout'),
    (4, 'data_malformed', 'line {} has {} columns where 12 are expected'),
    (5, 'rate_limit', '429 Too Many Requests: request {} of {} a minute'),
    (6, 'authentication', 'the token {} for scope {} has expired'),
    (7, 'rejected', 'HTTP 409: batch {} was taken before, as number {}'),
    (8, 'permission', 'access to object {} of bucket {} is denied'),
    (9, 'write_failure', 'only {} of {} bytes could be written'),
    (10, 'account_not_found', 'mailbox {} of shard {} does not exist'),
    (11, 'resource', 'allocating {} MB failed with {} MB in use'),
    (12, 'unknown', 'step {} of {} did not work'),
    (13, 'quality_issue', 'picture {} has {} pixels in the iris, which is too few'),
    (14, 'configuration', 'setting {} of section {} is missing')
) AS kinds(k, category, template) USING (k);

CREATE TEMP TABLE plan AS SELECT ceil($n / 50)::BIGINT AS runs;

INSERT INTO runs BY NAME
SELECT strftime(started_at, '%Y%m%dT%H%M%S000-') || format('{:08x}', hash(r) % 4294967296) AS run_id,
       pipeline, source, 'cycle-' || (r // 40) AS cycle_id, 'schedule' AS started_by,
       CASE WHEN r % 5 = 0 THEN 'failed' ELSE 'partial' END AS status, 'completed' AS state,
       'processing' AS step, started_at, started_at + INTERVAL 40 SECOND AS ended_at,
       40.0 AS duration_seconds, 450 AS succeeded, least(50, $n - r * 50) AS failed,
       0 AS skipped, 10 AS retryable, '[]' AS top_errors
FROM (SELECT r, $last - INTERVAL 40 SECOND - to_seconds((runs - r) * 90 * 86400.0 / runs) AS started_at,
             (hash(r) % 40)::BIGINT AS number
      FROM plan, range(runs) AS t(r)) JOIN sources USING (number)
ORDER BY started_at;

INSERT INTO failure_groups BY NAME
SELECT failure_group, pipeline, step, category, rule,
       replace(template, '{}', '<n>') AS message, user_message, suggested_action, exception_type
FROM causes;

CREATE TEMP TABLE numbered_runs AS
SELECT row_number() OVER (ORDER BY started_at) - 1 AS run, run_id, runs.pipeline, source, started_at,
       sources.number
FROM runs JOIN sources USING (source);

INSERT INTO failures BY NAME
SELECT i + 1 AS id, started_at + to_milliseconds(i % 50 * 800) AS error_time, run_id,
       drawn.pipeline, source,
       format('2026/{:02d}/part-{}.csv', 1 + h // 16 % 12, h // 64 % 100000) AS item,
       hash(source, item) AS item_key, step, i % 50 * 0.8 AS duration_seconds,
       category, retryable, rule, exception_type,
       format(template, h // 128 % 100000, h // 1024 % 100) AS error_message,
       user_message, suggested_action, failure_group, 1 + h // 4096 % 3 AS attempt,
       CASE WHEN h % 100 < 93 THEN 'resolved' WHEN h % 100 < 96 THEN 'open'
            WHEN h % 100 < 98 THEN 'retrying' WHEN h % 100 < 99 THEN 'quarantined'
            ELSE 'ignored' END AS status,
       error_time + INTERVAL 5 MINUTE AS updated_at
FROM (SELECT i, hash(i)::UBIGINT AS h, r.*,
             -- A source meets 20 of the causes of its pipeline, some of them often, a run three of these.
             r.number // 10 * 75
               + (r.number * 7 + floor(20 * pow(hash(r.run, i % 3) % 10000 / 10000.0, 2))::BIGINT) % 75 AS cause
      FROM range($n) AS t(i) JOIN numbered_runs AS r ON r.run = i // 50) AS drawn
JOIN causes ON causes.number = drawn.cause
ORDER BY id;

INSERT INTO failure_tally
SELECT error_time::DATE, pipeline, source, category, retryable, status, failure_group,
       count(*), min(error_time), max(error_time)
FROM failures GROUP BY ALL;
