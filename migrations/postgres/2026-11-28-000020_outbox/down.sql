DROP INDEX idp_operations_by_key;
ALTER TABLE idp_operations DROP COLUMN settle_at;
DELETE FROM idp_operations WHERE kind = 'describe';
ALTER TABLE idp_operations DROP CONSTRAINT idp_operations_kind_check;
ALTER TABLE idp_operations ADD CONSTRAINT idp_operations_kind_check CHECK (kind IN ('create', 'permit', 'delete'));
