DROP INDEX signing_keys_one_next;
DROP INDEX signing_keys_one_active;
DROP INDEX secrets_one_announced;
DROP INDEX secrets_one_current;
ALTER TABLE deployment DROP COLUMN next_root_check;
ALTER TABLE secrets DROP COLUMN next_sealed;
