DROP INDEX idempotency_by_creation;
DROP INDEX credentials_by_end;
