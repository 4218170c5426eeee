-- The audit trail as it is read. {columns} stands for those of a record, {where} for conditions.

-- name: newest_audit
-- A page of entries.
SELECT {columns} FROM audit WHERE {where} ORDER BY audited_at DESC, id DESC LIMIT ?;

-- name: count_audit
-- How many entries match.
SELECT count(*) FROM audit WHERE {where};

-- name: export_audit
-- All that match, newest first.
SELECT {columns} FROM audit WHERE {where} ORDER BY audited_at DESC, id DESC;

-- name: audited_key_changes
-- What is known of keys being created and revoked.
SELECT audited_at, action, subject FROM audit WHERE list_contains(?, action);
