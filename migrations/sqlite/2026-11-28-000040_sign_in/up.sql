-- What the dashboard knows of people. `login_name` and `password_hash` are of those who have no provider.
CREATE TABLE people (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    login_name TEXT UNIQUE,
    password_hash TEXT,
    operator_since INTEGER,
    disabled_at INTEGER,
    last_sign_in_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

-- `id` is a digest of what the browser holds.
CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    method TEXT NOT NULL CHECK (method IN ('link', 'password', 'passkey', 'provider')),
    address TEXT,
    agent TEXT,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Attempts to sign in that came back: none comes back twice.
CREATE TABLE used_attempts (
    id BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX used_attempts_by_expiry ON used_attempts (expires_at);

CREATE TABLE passkeys (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    passkey TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;
CREATE INDEX passkeys_by_user ON passkeys (user_id);

-- Links that let somebody in once. `digest` is of what the link holds.
CREATE TABLE sign_in_links (
    id TEXT NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('operator', 'invitation', 'password')),
    organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
    role TEXT CHECK (role IN ('member', 'admin')),
    roles TEXT NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    note TEXT,
    loopback INTEGER NOT NULL CHECK (loopback IN (0, 1)),
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    used_by TEXT
) STRICT;
CREATE INDEX sign_in_links_by_organization ON sign_in_links (organization_id, created_at, id);
CREATE INDEX sign_in_links_by_user ON sign_in_links (user_id);
CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_at);

-- Memberships that a rule of the configuration gave, and takes again when it does not hold any more.
CREATE TABLE ruled_memberships (
    organization_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (organization_id, user_id),
    FOREIGN KEY (organization_id, user_id) REFERENCES memberships (organization_id, user_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Lists of keys by name.
CREATE INDEX api_keys_by_name ON api_keys (organization_id, lower(name), id);
