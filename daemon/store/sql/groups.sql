-- What people decide about failure groups, as the writer carries it out.

-- name: replace_decision
-- The decision of the latest moment counts, however late it arrives.
DELETE FROM group_decisions WHERE failure_group = ? AND as_of <= ?;

-- name: insert_decision
-- (it, unless a later one is there)
INSERT INTO group_decisions BY NAME
SELECT * FROM (SELECT ? AS failure_group, ? AS decision, ? AS as_of, ? AS until, ? AS note,
                      ? AS decided_by, ? AS decided_at) AS fresh
WHERE fresh.failure_group NOT IN (SELECT failure_group FROM group_decisions);

-- name: merge_groups
-- Groups that stand by themselves are shown in another, wherever that one is shown: never in a ring.
INSERT INTO group_merges
SELECT one, target, target
FROM (SELECT unnest(?) AS one) AS asked,
     (SELECT coalesce((SELECT shown_as FROM group_merges WHERE failure_group = ?), ?) AS target)
WHERE one <> target AND one NOT IN (SELECT failure_group FROM group_merges);

-- name: unmerge_group
-- A merged group stands by itself again; one that others were merged into lets go of them.
DELETE FROM group_merges
WHERE CASE WHEN ? IN (SELECT failure_group FROM group_merges)
           THEN failure_group = ? ELSE merged_into = ? END;

-- name: follow_merges
-- Where each merge leads in the end.
WITH RECURSIVE path AS (
    SELECT failure_group, merged_into AS shown_as FROM group_merges
    UNION
    SELECT path.failure_group, further.merged_into
    FROM path JOIN group_merges AS further ON further.failure_group = path.shown_as)
UPDATE group_merges SET shown_as = path.shown_as
FROM path
WHERE path.failure_group = group_merges.failure_group
  AND path.shown_as NOT IN (SELECT failure_group FROM group_merges);

-- name: split_rules
-- What is split off from now on.
INSERT INTO group_splits SELECT unnest(?), ?, ?, ?, ?;

-- name: split_description
-- The new group is described by the newest failure that goes over to it.
INSERT INTO failure_groups
SELECT * REPLACE (? AS failure_group) FROM failure_groups
WHERE failure_group = (
    SELECT arg_max(failure_group, id) FROM failures
    WHERE list_contains(?, failure_group) AND contains(error_message, ?));

-- name: split_failures
-- The failures that go over.
UPDATE failures SET failure_group = ? WHERE list_contains(?, failure_group) AND contains(error_message, ?);

-- name: forget_tally
-- The tally of the groups concerned is made anew from their failures, ...
DELETE FROM failure_tally WHERE list_contains(?, failure_group);

-- name: tally_anew
-- ... so that counts and times stay exact.
INSERT INTO failure_tally
SELECT error_time::DATE, pipeline, source, category, retryable, status, failure_group,
       count(*), min(error_time), max(error_time)
FROM failures WHERE list_contains(?, failure_group) GROUP BY ALL;

-- name: group_sources
-- The sources that the failures of some groups are of, most failures first.
SELECT pipeline, source, sum(n)::BIGINT AS count,
       coalesce(sum(n) FILTER ({pending}), 0)::BIGINT AS pending, max(last_seen) AS last_seen
FROM failure_tally WHERE list_contains(?, failure_group)
GROUP BY pipeline, source HAVING sum(n) > 0 ORDER BY count DESC, pipeline, source;

-- name: group_members
-- The groups that are shown as one with a group.
WITH root AS (SELECT coalesce((SELECT shown_as FROM group_merges WHERE failure_group = ?), ?) AS id)
SELECT id FROM root
UNION ALL SELECT failure_group FROM group_merges, root WHERE shown_as = root.id;

-- name: merges
-- Groups that were merged into others, and the groups that they are shown as.
SELECT failure_group, shown_as FROM group_merges;

-- name: merged_into
-- Groups that others were merged into, and those.
SELECT merged_into, failure_group FROM group_merges ORDER BY failure_group;

-- name: failures_holding
-- How many failures of some groups have a message that holds a text, and how many there are.
SELECT count(*) FILTER (contains(error_message, ?)), count(*) FROM failures
WHERE list_contains(?, failure_group);

-- name: own_groups
-- Those of some failures that are of some groups, and the group each is stored with.
SELECT id, failure_group FROM failures
WHERE id IN (SELECT unnest(?::BIGINT[])) AND list_contains(?, failure_group);

-- name: decisions
-- What was decided about those of some groups that anything was decided about.
SELECT {columns} FROM group_decisions WHERE failure_group IN (SELECT unnest(?::VARCHAR[]));

-- name: splits_of_groups
-- What those of some groups were split off from that were.
SELECT split_group, any_value(split_from), nullif(any_value(text), '')
FROM group_splits WHERE split_group IN (SELECT unnest(?::VARCHAR[])) GROUP BY split_group;

-- name: splits
-- The rules of all splits, oldest first.
SELECT failure_group, text, split_group FROM group_splits ORDER BY split_at, rowid;

-- name: groups_found
-- Groups of {counted} with their numbers, for a WITH clause; {by_status} counts the failures of each
-- status, {sums} adds these up. By source first: a list of distinct sources would take a table of its
-- own for each group.
by_source AS (
    SELECT failure_group, source, sum(n) AS n, {by_status}, bool_or(retryable) AS retryable,
           min(first_seen) AS first_seen, max(last_seen) AS last_seen,
           coalesce(sum(n) FILTER (retryable), 0) AS retryable_count
    FROM ({counted}) GROUP BY failure_group, source),
found AS (
    SELECT failure_group, sum(n)::BIGINT AS count, {sums}, bool_or(retryable) AS retryable,
           list(source ORDER BY source)[:20] AS sources,
           min(first_seen) AS first_seen, max(last_seen) AS last_seen,
           sum(retryable_count)::BIGINT AS retryable_count
    FROM by_source GROUP BY failure_group HAVING sum(n) > 0);

-- name: groups
-- Groups that were found, as records.
WITH {found} SELECT {columns} FROM found JOIN failure_groups USING (failure_group) {tail};

-- name: group_ids
-- Only their ids.
WITH {found} SELECT failure_group FROM found {tail};

-- name: count_groups
-- How many they are.
WITH {found} SELECT count(*) FROM found;

-- name: every_failure
-- The whole tally.
SELECT * FROM failure_tally;

-- name: wanted_groups
-- Groups (`member`) and the groups that they are shown as (`shown`).
SELECT unnest(?::VARCHAR[]) AS member, unnest(?::VARCHAR[]) AS shown;

-- name: group_tallies
-- What the tally says of whole groups.
SELECT shown, coalesce(sum(n) FILTER ({pending}), 0)::BIGINT, sum(n)::BIGINT, max(last_seen)
FROM failure_tally JOIN ({wanted}) ON member = failure_group GROUP BY shown;

-- name: pending_times
-- When the oldest and the newest pending failure of each group occurred.
SELECT shown, min(error_time), max(error_time)
FROM failures JOIN ({wanted}) ON member = failure_group WHERE {pending} GROUP BY shown;

-- name: return_times
-- The newest failure of each group that came when none was pending. A failure lasts from when it occurred
-- until it was dealt with. From the oldest pending one on something is always pending, so only the
-- failures up to that one have to be put in order.
WITH lasting AS (
    SELECT shown, error_time,
           CASE WHEN {pending} THEN 'infinity'::TIMESTAMP
                ELSE greatest(updated_at, error_time) END AS ended
    FROM failures JOIN ({wanted}) ON member = failure_group
    JOIN (SELECT unnest(?::VARCHAR[]) AS shown, unnest(?::TIMESTAMP[]) AS oldest)
    USING (shown) WHERE error_time <= oldest AND error_time <= ?),
in_order AS (
    SELECT *, max(ended) OVER (PARTITION BY shown ORDER BY error_time
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS all_ended
    FROM lasting)
SELECT shown, max(error_time) FILTER (all_ended < error_time) FROM in_order GROUP BY shown;
