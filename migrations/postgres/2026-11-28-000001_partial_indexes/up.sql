-- Most keys have no default resource and no owner: an entry for each NULL is a page written for nothing. `=` implies NOT NULL, so
-- whoever looks a value up, a foreign key included, still uses the index.
DROP INDEX api_keys_by_default_resource;
CREATE INDEX api_keys_by_default_resource ON api_keys (default_resource_id) WHERE default_resource_id IS NOT NULL;
DROP INDEX api_keys_by_owner;
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, organization_id) WHERE owner_id IS NOT NULL;
DROP INDEX credentials_by_idp_subject;
CREATE INDEX credentials_by_idp_subject ON credentials (idp_subject) WHERE idp_subject IS NOT NULL;
DROP INDEX idempotency_by_credential;
CREATE INDEX idempotency_by_credential ON idempotency (credential_id) WHERE credential_id IS NOT NULL;
