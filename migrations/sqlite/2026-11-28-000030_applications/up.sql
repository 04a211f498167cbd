-- Machine-to-machine applications. One without an organization is the deployment's.
CREATE TABLE applications (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT REFERENCES organizations (id),
    name TEXT NOT NULL,
    description TEXT,
    auth_method TEXT CHECK (auth_method IN ('client_secret_basic', 'client_secret_post', 'private_key_jwt')),
    jwks TEXT,
    legacy_assertion_audience INTEGER NOT NULL CHECK (legacy_assertion_audience IN (0, 1)),
    default_resource_id TEXT REFERENCES resources (id) ON DELETE SET NULL,
    allowed_cidrs TEXT,
    may_act_id TEXT,
    disabled_at INTEGER,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX applications_by_creation ON applications (created_at, id);
CREATE INDEX applications_by_organization ON applications (organization_id, created_at, id);
CREATE INDEX applications_by_default_resource ON applications (default_resource_id);
CREATE INDEX applications_by_may_act ON applications (may_act_id);

CREATE TABLE application_secrets (
    id TEXT NOT NULL PRIMARY KEY,
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    digest BLOB NOT NULL,
    digest_generation INTEGER NOT NULL,
    hint TEXT NOT NULL,
    expires_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX application_secrets_by_application ON application_secrets (application_id, created_at, id);

-- No cascade from roles: what is held is in use.
CREATE TABLE application_roles (
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    role_id TEXT NOT NULL REFERENCES roles (id),
    PRIMARY KEY (application_id, role_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX application_roles_by_role ON application_roles (role_id);

-- The resources that it serves, and may ask about tokens for.
CREATE TABLE application_resources (
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    resource_id TEXT NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    PRIMARY KEY (application_id, resource_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX application_resources_by_resource ON application_resources (resource_id);

-- Who may act for the key. No reference: where that application is gone nobody may, and nobody must not become anybody.
ALTER TABLE api_keys ADD COLUMN may_act_id TEXT;
CREATE INDEX api_keys_by_may_act ON api_keys (may_act_id) WHERE may_act_id IS NOT NULL;
