-- The last refusals of each key, sampled: for whoever asks why his key does not work.
CREATE TABLE key_refusals (
    key_id TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    number INTEGER NOT NULL,
    reason TEXT NOT NULL,
    resource TEXT,
    scope TEXT,
    address TEXT,
    CONSTRAINT key_refusals_key_id_at_number_key PRIMARY KEY (key_id, at, number)
);
