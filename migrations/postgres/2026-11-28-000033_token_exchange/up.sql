-- Which application may trade tokens for one resource, the source, for tokens for another. No cascade: who is named is in use.
CREATE TABLE exchange_rules (
    id TEXT NOT NULL CONSTRAINT exchange_rules_id_key PRIMARY KEY,
    application_id TEXT NOT NULL REFERENCES applications (id),
    source_id TEXT NOT NULL REFERENCES resources (id),
    requires_scope TEXT NOT NULL,
    target_id TEXT NOT NULL REFERENCES resources (id),
    delegation BOOLEAN NOT NULL,
    impersonation BOOLEAN NOT NULL,
    subject_must_hold BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT exchange_rules_application_id_source_id_target_id_key UNIQUE (application_id, source_id, target_id)
);
CREATE INDEX exchange_rules_by_creation ON exchange_rules (created_at, id);
CREATE INDEX exchange_rules_by_source ON exchange_rules (source_id);
CREATE INDEX exchange_rules_by_target ON exchange_rules (target_id);

-- What such a token may permit.
CREATE TABLE exchange_rule_permissions (
    rule_id TEXT NOT NULL REFERENCES exchange_rules (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    CONSTRAINT exchange_rule_permissions_rule_id_permission_id_key PRIMARY KEY (rule_id, permission_id)
);
CREATE INDEX exchange_rule_permissions_by_permission ON exchange_rule_permissions (permission_id);

-- What each traded token was made of, until it has expired: a token is refused when something that it was made of is. A trade of a
-- first token by its own client, which changes nothing but its scope, leaves no row.
-- subject_*: the token that was traded, one of ours, or one of a trusted issuer with the rules of it that it matched (a JSON list).
-- actor_*: the token that said who acts.
CREATE TABLE exchanged_tokens (
    jti TEXT NOT NULL CONSTRAINT exchanged_tokens_jti_key PRIMARY KEY,
    client_id TEXT NOT NULL,
    rule_id TEXT,
    subject_jti TEXT,
    subject_kid TEXT,
    subject_audience TEXT,
    subject_scope TEXT,
    subject_issuer_id TEXT,
    subject_rules TEXT,
    actor_jti TEXT,
    actor_kid TEXT,
    actor_subject TEXT,
    actor_generation TEXT,
    actor_issuer_id TEXT,
    depth INTEGER NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX exchanged_tokens_by_subject ON exchanged_tokens (subject_jti) WHERE subject_jti IS NOT NULL;
CREATE INDEX exchanged_tokens_by_actor ON exchanged_tokens (actor_jti) WHERE actor_jti IS NOT NULL;
CREATE INDEX exchanged_tokens_by_expiry ON exchanged_tokens (expires_at);
