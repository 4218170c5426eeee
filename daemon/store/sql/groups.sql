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
