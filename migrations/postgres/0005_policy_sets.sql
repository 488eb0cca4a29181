-- Policy sets, named by their hash: proposed by one account, activated by another. The text of a set that was ever active
-- is never changed. At most one is active; while none is, nodes decide by the policies in their folder.

CREATE TABLE policy_sets (
    hash         TEXT    NOT NULL PRIMARY KEY,
    files        TEXT    NOT NULL, -- JSON: each file's name with its text
    state        TEXT    NOT NULL, -- proposed, active, retired, rejected
    proposed_by  TEXT    NOT NULL,
    proposed_at  BIGINT  NOT NULL, -- milliseconds since 1970-01-01 UTC
    reason       TEXT    NOT NULL,
    decided_by   TEXT,             -- who approved or rejected it
    decided_at   BIGINT,
    activated_at BIGINT,           -- the last time
    replaced     TEXT              -- the set that was active when this one was approved
);
CREATE UNIQUE INDEX policy_sets_active ON policy_sets (state) WHERE state = 'active';
CREATE INDEX policy_sets_by_time ON policy_sets (proposed_at, hash);
