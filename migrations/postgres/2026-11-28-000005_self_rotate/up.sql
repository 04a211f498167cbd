-- Whether the holder of a key may have it replaced.
ALTER TABLE api_keys ADD COLUMN self_rotate BOOLEAN NOT NULL DEFAULT FALSE;
