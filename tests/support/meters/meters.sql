-- The statements about meters.

-- name: replace_meters
-- Meters as they are now.
MERGE INTO meters USING {rows} AS fresh ON meters.source = fresh.source AND meters.meter = fresh.meter
WHEN MATCHED THEN UPDATE BY NAME
WHEN NOT MATCHED THEN INSERT BY NAME;

-- name: ignore_meter
-- One is to be left alone.
UPDATE meters SET ignored = true WHERE source = ? AND meter = ?;

-- name: expire_meters
-- Those that were not read for long.
DELETE FROM meters WHERE read_at < ?;
