-- Times are microseconds since 1970 in UTC, bound by the program; JSON is text. STRICT makes SQLite refuse a value of another type.

CREATE TABLE deployment (
    id TEXT NOT NULL PRIMARY KEY,
    issuer TEXT NOT NULL,
    root_check BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
-- One database holds one deployment.
CREATE UNIQUE INDEX deployment_one_row ON deployment ((1));

-- Every prefix that keys were ever made with: a key outlives a change of the prefix.
CREATE TABLE key_prefixes (
    prefix TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE secrets (
    purpose TEXT NOT NULL,
    generation INTEGER NOT NULL CHECK (generation >= 0),
    state TEXT NOT NULL CHECK (state IN ('announced', 'current', 'retired', 'leaked')),
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (purpose, generation)
) STRICT;

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    alg TEXT NOT NULL CHECK (alg IN ('ES256', 'RS256', 'EdDSA')),
    state TEXT NOT NULL CHECK (state IN ('next', 'active', 'retired', 'withdrawn')),
    public_jwk TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    activated_at INTEGER,
    retired_at INTEGER,
    remove_at INTEGER
) STRICT;

CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT UNIQUE,
    metadata TEXT NOT NULL,
    disabled_at INTEGER,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX organizations_by_creation ON organizations (created_at, id);

CREATE TABLE resources (
    id TEXT NOT NULL PRIMARY KEY,
    identifier TEXT NOT NULL UNIQUE,
    name TEXT,
    token_lifetime INTEGER NOT NULL CHECK (token_lifetime > 0),
    signing_alg TEXT NOT NULL CHECK (signing_alg IN ('ES256', 'RS256', 'EdDSA')),
    metadata_claims TEXT NOT NULL,
    reserved INTEGER NOT NULL CHECK (reserved IN (0, 1)),
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX resources_by_creation ON resources (created_at, id);

CREATE TABLE permissions (
    id TEXT NOT NULL PRIMARY KEY,
    resource_id TEXT NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (resource_id, name)
) STRICT;

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    metadata TEXT NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    disabled_at INTEGER,
    activated_at INTEGER,
    rotated_at INTEGER,
    allowed_cidrs TEXT,
    rate_requests INTEGER CHECK (rate_requests > 0),
    rate_per_seconds INTEGER CHECK (rate_per_seconds > 0),
    default_resource_id TEXT REFERENCES resources (id) ON DELETE SET NULL,
    epoch INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK ((rate_requests IS NULL) = (rate_per_seconds IS NULL))
) STRICT;
CREATE INDEX api_keys_by_creation ON api_keys (created_at, id);
CREATE INDEX api_keys_by_organization ON api_keys (organization_id, created_at, id);
-- Without it, deleting a resource reads every key.
CREATE INDEX api_keys_by_default_resource ON api_keys (default_resource_id);

CREATE TABLE credentials (
    id TEXT NOT NULL PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES api_keys (id),
    user_name TEXT NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    password_digest BLOB NOT NULL,
    digest_generation INTEGER NOT NULL,
    tag_generation INTEGER NOT NULL,
    provider_generation INTEGER NOT NULL,
    idp_subject TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'retiring', 'ended')),
    retires_at INTEGER,
    created_at INTEGER NOT NULL,
    activated_at INTEGER,
    ended_at INTEGER,
    end_reason TEXT CHECK (end_reason IN ('revoked', 'rotated', 'undone')),
    provider_rights TEXT,
    provider_rights_at INTEGER
) STRICT;
CREATE INDEX credentials_by_key ON credentials (key_id);

CREATE TABLE api_key_permissions (
    key_id TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    PRIMARY KEY (key_id, permission_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_permissions_by_permission ON api_key_permissions (permission_id);

CREATE TABLE builtin_users (
    user_name TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL UNIQUE,
    password_digest BLOB NOT NULL,
    attributes TEXT NOT NULL,
    disabled_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE builtin_user_permissions (
    user_name TEXT NOT NULL REFERENCES builtin_users (user_name) ON DELETE CASCADE,
    resource TEXT NOT NULL,
    scope TEXT NOT NULL,
    PRIMARY KEY (user_name, resource, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE idp_operations (
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
CREATE INDEX idp_operations_by_next_try ON idp_operations (done_at, next_try_at);

CREATE TABLE idempotency (
    id BLOB NOT NULL PRIMARY KEY,
    caller TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done')),
    status INTEGER,
    sealed_answer BLOB,
    credential_id TEXT,
    node TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
-- Without it, each batch of use that is written reads every kept answer.
CREATE INDEX idempotency_by_credential ON idempotency (credential_id);

CREATE TABLE audit_events (
    id TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    organization_id TEXT,
    address TEXT,
    request_id TEXT,
    details TEXT NOT NULL
) STRICT;
CREATE INDEX audit_events_by_time ON audit_events (at, id);
CREATE INDEX audit_events_by_organization ON audit_events (organization_id, at);

CREATE TABLE key_usage (
    key_id TEXT NOT NULL PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
    last_used_at INTEGER NOT NULL,
    exchanges INTEGER NOT NULL,
    refusals INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
