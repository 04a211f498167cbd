-- While the root secret changes, every secret is sealed under both, and the database opens with either.
ALTER TABLE secrets ADD COLUMN next_sealed BYTEA;
ALTER TABLE deployment ADD COLUMN next_root_check BYTEA;

-- Of a purpose one secret makes new things, and at most one waits for its turn.
CREATE UNIQUE INDEX secrets_one_current ON secrets (purpose) WHERE state = 'current';
CREATE UNIQUE INDEX secrets_one_announced ON secrets (purpose) WHERE state = 'announced';

-- Of an algorithm one key signs and one is next, however many nodes make them at the same moment. A next key too many has signed
-- nothing.
DELETE FROM signing_keys WHERE state = 'next' AND EXISTS (
    SELECT 1 FROM signing_keys AS older
    WHERE older.state = 'next' AND older.alg = signing_keys.alg
        AND (older.created_at, older.kid) < (signing_keys.created_at, signing_keys.kid)
);
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (alg) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_one_next ON signing_keys (alg) WHERE state = 'next';
