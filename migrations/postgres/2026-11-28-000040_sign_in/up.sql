-- What the dashboard knows of people. `login_name` and `password_hash` are of those who have no provider.
CREATE TABLE people (
    user_id TEXT NOT NULL CONSTRAINT people_user_id_key PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    login_name TEXT UNIQUE,
    password_hash TEXT,
    operator_since BIGINT,
    disabled_at BIGINT,
    last_sign_in_at BIGINT,
    created_at BIGINT NOT NULL
);

-- `id` is a digest of what the browser holds.
CREATE TABLE sessions (
    id BYTEA NOT NULL CONSTRAINT sessions_id_key PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    method TEXT NOT NULL CHECK (method IN ('link', 'password', 'passkey', 'provider')),
    address TEXT,
    agent TEXT,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Attempts to sign in that came back: none comes back twice.
CREATE TABLE used_attempts (
    id BYTEA NOT NULL CONSTRAINT used_attempts_id_key PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_attempts_by_expiry ON used_attempts (expires_at);

CREATE TABLE passkeys (
    id TEXT NOT NULL CONSTRAINT passkeys_id_key PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    passkey TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX passkeys_by_user ON passkeys (user_id);

-- Links that let somebody in once. `digest` is of what the link holds.
CREATE TABLE sign_in_links (
    id TEXT NOT NULL CONSTRAINT sign_in_links_id_key PRIMARY KEY,
    digest BYTEA NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('operator', 'invitation', 'password')),
    organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
    role TEXT CHECK (role IN ('member', 'admin')),
    roles TEXT NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    note TEXT,
    loopback BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    used_by TEXT
);
CREATE INDEX sign_in_links_by_organization ON sign_in_links (organization_id, created_at, id);
CREATE INDEX sign_in_links_by_user ON sign_in_links (user_id);
CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_at);

-- Memberships that a rule of the configuration gave, and takes again when it does not hold any more.
CREATE TABLE ruled_memberships (
    organization_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    CONSTRAINT ruled_memberships_organization_id_user_id_key PRIMARY KEY (organization_id, user_id),
    FOREIGN KEY (organization_id, user_id) REFERENCES memberships (organization_id, user_id) ON DELETE CASCADE
);

-- Lists of keys by name.
CREATE INDEX api_keys_by_name ON api_keys (organization_id, lower(name), id);
