-- Whether the rows of organization_permissions are all that its keys may use; without, they may use everything.
ALTER TABLE organizations ADD COLUMN limited INTEGER NOT NULL DEFAULT 0 CHECK (limited IN (0, 1));
ALTER TABLE organizations ADD COLUMN max_keys INTEGER CHECK (max_keys >= 0);
ALTER TABLE organizations ADD COLUMN owner_gone TEXT NOT NULL DEFAULT 'pause' CHECK (owner_gone IN ('pause', 'hand_over', 'keep'));

CREATE TABLE organization_permissions (
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    PRIMARY KEY (organization_id, permission_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX organization_permissions_by_permission ON organization_permissions (permission_id);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (issuer, subject)
) STRICT;
CREATE INDEX users_by_creation ON users (created_at, id);

CREATE TABLE roles (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('machine_to_machine', 'user')),
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX roles_by_creation ON roles (created_at, id);

CREATE TABLE role_permissions (
    role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    PRIMARY KEY (role_id, permission_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX role_permissions_by_permission ON role_permissions (permission_id);

CREATE TABLE memberships (
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('member', 'admin')),
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (organization_id, user_id)
) STRICT;
CREATE INDEX memberships_by_creation ON memberships (organization_id, created_at, user_id);
CREATE INDEX memberships_by_user ON memberships (user_id);

-- The user roles that a member holds there. No cascade from roles: what is held is in use.
CREATE TABLE membership_roles (
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id),
    role_id TEXT NOT NULL REFERENCES roles (id),
    PRIMARY KEY (organization_id, user_id, role_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX membership_roles_by_role ON membership_roles (role_id);
CREATE INDEX membership_roles_by_user ON membership_roles (user_id);

ALTER TABLE api_keys ADD COLUMN owner_id TEXT REFERENCES users (id);
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, organization_id);

-- A subject that kagiya made at a provider is no person: asked for each person who signs in.
CREATE INDEX credentials_by_idp_subject ON credentials (idp_subject);
