DROP INDEX idempotency_by_credential;
CREATE INDEX idempotency_by_credential ON idempotency (credential_id);
DROP INDEX credentials_by_idp_subject;
CREATE INDEX credentials_by_idp_subject ON credentials (idp_subject);
DROP INDEX api_keys_by_owner;
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, organization_id);
DROP INDEX api_keys_by_default_resource;
CREATE INDEX api_keys_by_default_resource ON api_keys (default_resource_id);
