-- A further kind of operation, and claims that outlive their holder.
ALTER TABLE idp_operations DROP CONSTRAINT idp_operations_kind_check;
ALTER TABLE idp_operations ADD CONSTRAINT idp_operations_kind_check CHECK (kind IN ('create', 'permit', 'describe', 'delete'));
-- What was asked and got no answer may still be done at the provider up to this moment.
ALTER TABLE idp_operations ADD COLUMN settle_at BIGINT;
CREATE INDEX idp_operations_by_key ON idp_operations (key_id, done_at);
