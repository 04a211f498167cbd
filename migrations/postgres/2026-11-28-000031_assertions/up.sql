-- Client assertions that were used, until they could not be any more. `id` is a digest of the client and its name for the assertion.
CREATE TABLE used_assertions (
    id BYTEA NOT NULL CONSTRAINT used_assertions_id_key PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_assertions_by_expiry ON used_assertions (expires_at);
