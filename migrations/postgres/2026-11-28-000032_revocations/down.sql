DROP TABLE removed_grounds;
DROP TABLE revoked_tokens;
