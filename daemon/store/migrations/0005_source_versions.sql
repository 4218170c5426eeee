-- Which configuration of its source a run was made with: credentials that were refused are not tried
-- again by themselves until it changes.

ALTER TABLE runs ADD COLUMN source_version VARCHAR;
