-- Without it, looking for generations that ended long ago reads every key.
CREATE INDEX credentials_by_end ON credentials (ended_at) WHERE ended_at IS NOT NULL;
-- And for old answers, every kept one.
CREATE INDEX idempotency_by_creation ON idempotency (created_at) WHERE sealed_answer IS NOT NULL;
