-- What tells how sources stand: their failures that nothing and nobody has dealt with, and how their latest runs ended.

-- name: decided_groups
-- Groups (`member`) with the decision that counts for them, for a WITH clause.
decided AS (
    SELECT failure_group AS member, decision, as_of, until FROM group_decisions
    WHERE failure_group NOT IN (SELECT failure_group FROM group_merges)
    UNION ALL
    SELECT group_merges.failure_group, decision, as_of, until
    FROM group_merges JOIN group_decisions ON group_decisions.failure_group = shown_as)

-- name: is_quiet
-- Whether a person has said of the group of a pending failure that it is dealt with, or not to be told of.
coalesce(decision = 'ignored' AND (until IS NULL OR until > $now)
         OR decision = 'resolved' AND error_time <= as_of, false)

-- name: pending_by_kind
-- Pending failures of each source and category: how many are quiet, by status, and the oldest that is not.
WITH {decided_groups},
pending AS (
    SELECT pipeline, source, category, status, error_time, {is_quiet} AS quiet
    FROM failures LEFT JOIN decided ON member IS NOT DISTINCT FROM failure_group
    WHERE status IN ('open', 'retrying'))
SELECT pipeline, source, category,
       count(*) FILTER (quiet AND status = 'open'), count(*) FILTER (quiet AND status = 'retrying'),
       min(error_time) FILTER (NOT quiet)
FROM pending GROUP BY ALL;

-- name: next_loud
-- When the next of the groups that are ignored for a time is told of again.
SELECT min(until) FROM group_decisions WHERE decision = 'ignored' AND until > $now;

-- name: pending_items
-- How many pending failures the items of a source have that are not quiet: open ones, and others.
WITH {decided_groups}
SELECT count(*) FILTER (status = 'open'), count(*) FILTER (status = 'retrying')
FROM failures LEFT JOIN decided ON member IS NOT DISTINCT FROM failure_group
WHERE status IN ('open', 'retrying') AND pipeline = $pipeline AND source = $source AND item IS NOT NULL
  AND NOT {is_quiet};

-- name: run_streaks
-- How the latest runs of each source ended; a category only while what the latest failed with is not dealt with.
WITH ended AS (
    SELECT pipeline, source, status, category, ended_at, run_id,
           max(run_id) FILTER (status IN ('success', 'partial'))
               OVER (PARTITION BY pipeline, source) AS last_good
    FROM runs WHERE status IN ('success', 'partial', 'failed')),
streaks AS (
    SELECT pipeline, source, max(ended_at) FILTER (status = 'success') AS succeeded,
           max(ended_at) FILTER (status IN ('success', 'partial')) AS worked,
           count(*) FILTER (status = 'failed' AND (last_good IS NULL OR run_id > last_good)) AS failed,
           CASE WHEN arg_max(status, run_id) = 'failed' THEN arg_max(category, run_id) END AS category,
           min(ended_at) FILTER (status = 'failed' AND (last_good IS NULL OR run_id > last_good)) AS since,
           max(run_id) AS latest
    FROM ended GROUP BY ALL),
dealt_with AS (
    SELECT DISTINCT run_id FROM failures
    WHERE status NOT IN ('open', 'retrying') AND run_id IN (SELECT latest FROM streaks WHERE failed > 0))
SELECT pipeline, source, succeeded, worked, failed,
       CASE WHEN latest NOT IN (SELECT run_id FROM dealt_with) THEN category END, since
FROM streaks;
