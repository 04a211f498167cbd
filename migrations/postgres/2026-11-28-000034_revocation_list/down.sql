DROP INDEX api_keys_by_expiry;
DROP INDEX api_keys_by_pause;
DROP INDEX api_keys_by_revocation;
