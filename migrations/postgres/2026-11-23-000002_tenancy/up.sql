-- Whether the rows of organization_permissions are all that its keys may use; without, they may use everything.
ALTER TABLE organizations ADD COLUMN limited BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE organizations ADD COLUMN max_keys INTEGER CHECK (max_keys >= 0);
ALTER TABLE organizations ADD COLUMN owner_gone TEXT NOT NULL DEFAULT 'pause' CHECK (owner_gone IN ('pause', 'hand_over', 'keep'));

CREATE TABLE organization_permissions (
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    CONSTRAINT organization_permissions_organization_id_permission_id_key PRIMARY KEY (organization_id, permission_id)
);
CREATE INDEX organization_permissions_by_permission ON organization_permissions (permission_id);

CREATE TABLE users (
    id TEXT NOT NULL CONSTRAINT users_id_key PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX users_by_creation ON users (created_at, id);

CREATE TABLE roles (
    id TEXT NOT NULL CONSTRAINT roles_id_key PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('machine_to_machine', 'user')),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX roles_by_creation ON roles (created_at, id);

CREATE TABLE role_permissions (
    role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    CONSTRAINT role_permissions_role_id_permission_id_key PRIMARY KEY (role_id, permission_id)
);
CREATE INDEX role_permissions_by_permission ON role_permissions (permission_id);

CREATE TABLE memberships (
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('member', 'admin')),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT memberships_organization_id_user_id_key PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX memberships_by_creation ON memberships (organization_id, created_at, user_id);
CREATE INDEX memberships_by_user ON memberships (user_id);

-- The user roles that a member holds there. No cascade from roles: what is held is in use.
CREATE TABLE membership_roles (
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id),
    role_id TEXT NOT NULL REFERENCES roles (id),
    CONSTRAINT membership_roles_organization_id_user_id_role_id_key PRIMARY KEY (organization_id, user_id, role_id)
);
CREATE INDEX membership_roles_by_role ON membership_roles (role_id);
CREATE INDEX membership_roles_by_user ON membership_roles (user_id);

ALTER TABLE api_keys ADD COLUMN owner_id TEXT REFERENCES users (id);
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, organization_id);

-- A subject that kagiya made at a provider is no person: asked for each person who signs in.
CREATE INDEX credentials_by_idp_subject ON credentials (idp_subject);
