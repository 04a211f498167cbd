-- Each row of the trail is a link of a chain: its number there, and a seal that nobody can make without the audit secret.
ALTER TABLE audit_events ADD COLUMN chain BIGINT;
ALTER TABLE audit_events ADD COLUMN position BIGINT;
ALTER TABLE audit_events ADD COLUMN seal BYTEA;
CREATE UNIQUE INDEX audit_events_chain_position_key ON audit_events (chain, position);

-- How far each chain is. One to a run of a server, and more where several of its transactions commit at the same moment.
CREATE TABLE audit_chains (
    number BIGINT NOT NULL CONSTRAINT audit_chains_number_key PRIMARY KEY,
    node TEXT NOT NULL,
    generation INTEGER NOT NULL,
    started_at BIGINT NOT NULL,
    length BIGINT NOT NULL,
    link BYTEA NOT NULL,
    heads TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    ended_at BIGINT,
    mark BYTEA NOT NULL
);
CREATE INDEX audit_chains_by_change ON audit_chains (changed_at);

-- How many chains there have ever been, in one row. Rows from before there were chains are put into the first one.
CREATE TABLE audit_register (
    one INTEGER NOT NULL CONSTRAINT audit_register_one_key PRIMARY KEY CHECK (one = 1),
    chains BIGINT NOT NULL,
    adopting BOOLEAN NOT NULL,
    generation INTEGER,
    mark BYTEA
);
INSERT INTO audit_register (one, chains, adopting)
    VALUES (1, 0, EXISTS (SELECT 1 FROM audit_events));

-- What is left of rows whose time was over.
CREATE TABLE audit_segments (
    chain BIGINT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    first_id TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_id TEXT NOT NULL,
    last_at BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    link BYTEA NOT NULL,
    removed_at BIGINT NOT NULL,
    generation INTEGER NOT NULL,
    mark BYTEA NOT NULL,
    CONSTRAINT audit_segments_chain_first_key PRIMARY KEY (chain, first)
);
