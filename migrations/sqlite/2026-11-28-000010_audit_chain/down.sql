DROP TABLE audit_segments;
DROP TABLE audit_register;
DROP TABLE audit_chains;
DROP INDEX audit_events_chain_position_key;
ALTER TABLE audit_events DROP COLUMN seal;
ALTER TABLE audit_events DROP COLUMN position;
ALTER TABLE audit_events DROP COLUMN chain;
