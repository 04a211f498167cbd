DROP TABLE owner_states;
DROP TABLE idp_resources;
ALTER TABLE idp_operations DROP COLUMN stuck_at;
ALTER TABLE idp_operations DROP COLUMN failing_since;
ALTER TABLE credentials DROP COLUMN provider_credential;
