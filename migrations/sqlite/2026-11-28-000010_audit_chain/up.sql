-- Each row of the trail is a link of a chain: its number there, and a seal that nobody can make without the audit secret.
ALTER TABLE audit_events ADD COLUMN chain INTEGER;
ALTER TABLE audit_events ADD COLUMN position INTEGER;
ALTER TABLE audit_events ADD COLUMN seal BLOB;
CREATE UNIQUE INDEX audit_events_chain_position_key ON audit_events (chain, position);

-- How far each chain is. One to a run of a server, and more where several of its transactions commit at the same moment.
CREATE TABLE audit_chains (
    number INTEGER NOT NULL PRIMARY KEY,
    node TEXT NOT NULL,
    generation INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    length INTEGER NOT NULL,
    link BLOB NOT NULL,
    heads TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    ended_at INTEGER,
    mark BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_chains_by_change ON audit_chains (changed_at);

-- How many chains there have ever been, in one row. Rows from before there were chains are put into the first one.
CREATE TABLE audit_register (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    chains INTEGER NOT NULL,
    adopting INTEGER NOT NULL CHECK (adopting IN (0, 1)),
    generation INTEGER,
    mark BLOB
) STRICT, WITHOUT ROWID;
INSERT INTO audit_register (one, chains, adopting)
    VALUES (1, 0, EXISTS (SELECT 1 FROM audit_events));

-- What is left of rows whose time was over.
CREATE TABLE audit_segments (
    chain INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    first_id TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_id TEXT NOT NULL,
    last_at INTEGER NOT NULL,
    digest BLOB NOT NULL,
    link BLOB NOT NULL,
    removed_at INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    mark BLOB NOT NULL,
    PRIMARY KEY (chain, first)
) STRICT, WITHOUT ROWID;
