-- Whether the holder of a key may have it replaced.
ALTER TABLE api_keys ADD COLUMN self_rotate INTEGER NOT NULL DEFAULT 0 CHECK (self_rotate IN (0, 1));
