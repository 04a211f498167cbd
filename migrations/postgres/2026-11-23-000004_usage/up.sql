-- Use by day, resource and scope. `target` is a digest of the two texts, which may be long.
CREATE TABLE usage_daily (
    key_id TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    day BIGINT NOT NULL,
    target TEXT NOT NULL,
    resource TEXT,
    scope TEXT,
    exchanges BIGINT NOT NULL,
    refusals BIGINT NOT NULL,
    CONSTRAINT usage_daily_key_id_day_target_key PRIMARY KEY (key_id, day, target)
);

CREATE INDEX usage_daily_day ON usage_daily (day);

-- The totals are the sum of the days.
ALTER TABLE key_usage DROP COLUMN exchanges;
ALTER TABLE key_usage DROP COLUMN refusals;
