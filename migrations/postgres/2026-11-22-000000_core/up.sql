-- Times are microseconds since 1970 in UTC, bound by the program; JSON is text, so that both databases hold the same.
-- Primary keys are named as PostgreSQL names a UNIQUE constraint: store::Error then calls a conflict the same on both.

CREATE TABLE deployment (
    id TEXT NOT NULL CONSTRAINT deployment_id_key PRIMARY KEY,
    issuer TEXT NOT NULL,
    root_check BYTEA NOT NULL,
    epoch BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
-- One database holds one deployment.
CREATE UNIQUE INDEX deployment_one_row ON deployment ((1));

-- Every prefix that keys were ever made with: a key outlives a change of the prefix.
CREATE TABLE key_prefixes (
    prefix TEXT NOT NULL CONSTRAINT key_prefixes_prefix_key PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE secrets (
    purpose TEXT NOT NULL,
    generation INTEGER NOT NULL CHECK (generation >= 0),
    state TEXT NOT NULL CHECK (state IN ('announced', 'current', 'retired', 'leaked')),
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    CONSTRAINT secrets_purpose_generation_key PRIMARY KEY (purpose, generation)
);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL CONSTRAINT signing_keys_kid_key PRIMARY KEY,
    alg TEXT NOT NULL CHECK (alg IN ('ES256', 'RS256', 'EdDSA')),
    state TEXT NOT NULL CHECK (state IN ('next', 'active', 'retired', 'withdrawn')),
    public_jwk TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    activated_at BIGINT,
    retired_at BIGINT,
    remove_at BIGINT
);

CREATE TABLE organizations (
    id TEXT NOT NULL CONSTRAINT organizations_id_key PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT UNIQUE,
    metadata TEXT NOT NULL,
    disabled_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX organizations_by_creation ON organizations (created_at, id);

CREATE TABLE resources (
    id TEXT NOT NULL CONSTRAINT resources_id_key PRIMARY KEY,
    identifier TEXT NOT NULL UNIQUE,
    name TEXT,
    token_lifetime INTEGER NOT NULL CHECK (token_lifetime > 0),
    signing_alg TEXT NOT NULL CHECK (signing_alg IN ('ES256', 'RS256', 'EdDSA')),
    metadata_claims TEXT NOT NULL,
    reserved BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX resources_by_creation ON resources (created_at, id);

CREATE TABLE permissions (
    id TEXT NOT NULL CONSTRAINT permissions_id_key PRIMARY KEY,
    resource_id TEXT NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (resource_id, name)
);

CREATE TABLE api_keys (
    id TEXT NOT NULL CONSTRAINT api_keys_id_key PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    metadata TEXT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    disabled_at BIGINT,
    activated_at BIGINT,
    rotated_at BIGINT,
    allowed_cidrs TEXT,
    rate_requests INTEGER CHECK (rate_requests > 0),
    rate_per_seconds INTEGER CHECK (rate_per_seconds > 0),
    default_resource_id TEXT REFERENCES resources (id) ON DELETE SET NULL,
    epoch BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CHECK ((rate_requests IS NULL) = (rate_per_seconds IS NULL))
);
CREATE INDEX api_keys_by_creation ON api_keys (created_at, id);
CREATE INDEX api_keys_by_organization ON api_keys (organization_id, created_at, id);
-- Without it, deleting a resource reads every key.
CREATE INDEX api_keys_by_default_resource ON api_keys (default_resource_id);

CREATE TABLE credentials (
    id TEXT NOT NULL CONSTRAINT credentials_id_key PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES api_keys (id),
    user_name TEXT NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    password_digest BYTEA NOT NULL,
    digest_generation INTEGER NOT NULL,
    tag_generation INTEGER NOT NULL,
    provider_generation INTEGER NOT NULL,
    idp_subject TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'retiring', 'ended')),
    retires_at BIGINT,
    created_at BIGINT NOT NULL,
    activated_at BIGINT,
    ended_at BIGINT,
    end_reason TEXT CHECK (end_reason IN ('revoked', 'rotated', 'undone')),
    provider_rights TEXT,
    provider_rights_at BIGINT
);
CREATE INDEX credentials_by_key ON credentials (key_id);

CREATE TABLE api_key_permissions (
    key_id TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    CONSTRAINT api_key_permissions_key_id_permission_id_key PRIMARY KEY (key_id, permission_id)
);
CREATE INDEX api_key_permissions_by_permission ON api_key_permissions (permission_id);

CREATE TABLE builtin_users (
    user_name TEXT NOT NULL CONSTRAINT builtin_users_user_name_key PRIMARY KEY,
    subject TEXT NOT NULL UNIQUE,
    password_digest BYTEA NOT NULL,
    attributes TEXT NOT NULL,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL
);

CREATE TABLE builtin_user_permissions (
    user_name TEXT NOT NULL REFERENCES builtin_users (user_name) ON DELETE CASCADE,
    resource TEXT NOT NULL,
    scope TEXT NOT NULL,
    CONSTRAINT builtin_user_permissions_user_name_resource_scope_key PRIMARY KEY (user_name, resource, scope)
);

CREATE TABLE idp_operations (
    id TEXT NOT NULL CONSTRAINT idp_operations_id_key PRIMARY KEY,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('create', 'permit', 'delete')),
    key_id TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_try_at BIGINT NOT NULL,
    claim BIGINT NOT NULL,
    claimed_at BIGINT,
    created_at BIGINT NOT NULL,
    done_at BIGINT,
    last_error TEXT
);
CREATE INDEX idp_operations_by_next_try ON idp_operations (done_at, next_try_at);

CREATE TABLE idempotency (
    id BYTEA NOT NULL CONSTRAINT idempotency_id_key PRIMARY KEY,
    caller TEXT NOT NULL,
    body_digest BYTEA NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done')),
    status INTEGER,
    sealed_answer BYTEA,
    credential_id TEXT,
    node TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
-- Without it, each batch of use that is written reads every kept answer.
CREATE INDEX idempotency_by_credential ON idempotency (credential_id);

CREATE TABLE audit_events (
    id TEXT NOT NULL CONSTRAINT audit_events_id_key PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    organization_id TEXT,
    address TEXT,
    request_id TEXT,
    details TEXT NOT NULL
);
CREATE INDEX audit_events_by_time ON audit_events (at, id);
CREATE INDEX audit_events_by_organization ON audit_events (organization_id, at);

CREATE TABLE key_usage (
    key_id TEXT NOT NULL CONSTRAINT key_usage_key_id_key PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
    last_used_at BIGINT NOT NULL,
    exchanges BIGINT NOT NULL,
    refusals BIGINT NOT NULL
);
