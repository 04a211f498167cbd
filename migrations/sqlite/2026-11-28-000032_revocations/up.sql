-- Tokens that were revoked before they expired, until they have.
CREATE TABLE revoked_tokens (
    jti TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    revoked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

-- Applications and exchange rules that were removed, until the last token that stands on them has expired.
CREATE TABLE removed_grounds (
    id TEXT NOT NULL PRIMARY KEY,
    removed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX removed_grounds_by_expiry ON removed_grounds (expires_at);
