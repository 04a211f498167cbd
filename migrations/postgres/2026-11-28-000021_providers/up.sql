-- What a provider made for a user to sign in by, sealed together with the key's password.
ALTER TABLE credentials ADD COLUMN provider_credential BYTEA;
-- Since when it fails, and since when it has failed for a day and needs a person.
ALTER TABLE idp_operations ADD COLUMN failing_since BIGINT;
ALTER TABLE idp_operations ADD COLUMN stuck_at BIGINT;

-- What each provider was told of each resource, and what it is to be told. To be done where wanted is not carried; a resource that is
-- here no more is wanted in version -1.
CREATE TABLE idp_resources (
    provider TEXT NOT NULL,
    resource TEXT NOT NULL,
    wanted BIGINT NOT NULL,
    carried BIGINT NOT NULL,
    made BOOLEAN NOT NULL,
    permissions TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_try_at BIGINT NOT NULL,
    claim BIGINT NOT NULL,
    claimed_at BIGINT,
    wanted_at BIGINT NOT NULL,
    stuck_at BIGINT,
    last_error TEXT,
    CONSTRAINT idp_resources_provider_resource_key PRIMARY KEY (provider, resource)
);

-- What providers tell of the owners of keys. Without rights: none that tells.
CREATE TABLE owner_states (
    user_id TEXT NOT NULL CONSTRAINT owner_states_user_id_key PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    rights TEXT NOT NULL,
    gone_at BIGINT,
    asked_at BIGINT NOT NULL
);
