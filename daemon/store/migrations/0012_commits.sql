-- The number of each batch that was committed. A COMMIT may fail in what comes after it, such as a checkpoint: only
-- what is on disk says whether the batch is. Numbers are inserted, since an update keeps checkpoints waiting for readers.

CREATE TABLE commits (number BIGINT NOT NULL);
