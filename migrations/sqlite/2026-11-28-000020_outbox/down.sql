CREATE TABLE idp_operations_old (
    id TEXT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('create', 'permit', 'delete')),
    key_id TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL,
    claim INTEGER NOT NULL,
    claimed_at INTEGER,
    created_at INTEGER NOT NULL,
    done_at INTEGER,
    last_error TEXT
) STRICT;
INSERT INTO idp_operations_old
SELECT id, provider, kind, key_id, credential_id, user_name, attempts, next_try_at, claim, claimed_at, created_at, done_at, last_error
FROM idp_operations WHERE kind <> 'describe';
DROP TABLE idp_operations;
ALTER TABLE idp_operations_old RENAME TO idp_operations;
CREATE INDEX idp_operations_by_next_try ON idp_operations (done_at, next_try_at);
