-- Tokens that were revoked before they expired, until they have.
CREATE TABLE revoked_tokens (
    jti TEXT NOT NULL CONSTRAINT revoked_tokens_jti_key PRIMARY KEY,
    client_id TEXT NOT NULL,
    revoked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

-- Applications and exchange rules that were removed, until the last token that stands on them has expired.
CREATE TABLE removed_grounds (
    id TEXT NOT NULL CONSTRAINT removed_grounds_id_key PRIMARY KEY,
    removed_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX removed_grounds_by_expiry ON removed_grounds (expires_at);
