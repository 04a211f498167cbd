-- What a provider made for a user to sign in by, sealed together with the key's password.
ALTER TABLE credentials ADD COLUMN provider_credential BLOB;
-- Since when it fails, and since when it has failed for a day and needs a person.
ALTER TABLE idp_operations ADD COLUMN failing_since INTEGER;
ALTER TABLE idp_operations ADD COLUMN stuck_at INTEGER;

-- What each provider was told of each resource, and what it is to be told. To be done where wanted is not carried; a resource that is
-- here no more is wanted in version -1.
CREATE TABLE idp_resources (
    provider TEXT NOT NULL,
    resource TEXT NOT NULL,
    wanted INTEGER NOT NULL,
    carried INTEGER NOT NULL,
    made INTEGER NOT NULL CHECK (made IN (0, 1)),
    permissions TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL,
    claim INTEGER NOT NULL,
    claimed_at INTEGER,
    wanted_at INTEGER NOT NULL,
    stuck_at INTEGER,
    last_error TEXT,
    PRIMARY KEY (provider, resource)
) STRICT, WITHOUT ROWID;

-- What providers tell of the owners of keys. Without rights: none that tells.
CREATE TABLE owner_states (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    rights TEXT NOT NULL,
    gone_at INTEGER,
    asked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
