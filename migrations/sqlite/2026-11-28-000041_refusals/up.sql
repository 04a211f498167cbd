-- The last refusals of each key, sampled: for whoever asks why his key does not work.
CREATE TABLE key_refusals (
    key_id TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    number INTEGER NOT NULL,
    reason TEXT NOT NULL,
    resource TEXT,
    scope TEXT,
    address TEXT,
    PRIMARY KEY (key_id, at, number)
) STRICT, WITHOUT ROWID;
