-- Client assertions that were used, until they could not be any more. `id` is a digest of the client and its name for the assertion.
CREATE TABLE used_assertions (
    id BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX used_assertions_by_expiry ON used_assertions (expires_at);
