-- When a version of a file was last new: by that an ingestion notices that no new file came.

ALTER TABLE files ADD COLUMN arrived_at TIMESTAMP;

UPDATE files SET arrived_at = last_attempt;
