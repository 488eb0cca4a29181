-- What the enumeration defence remembers, the records that nobody has reason to ask about, and what stewards are told.
-- Times are milliseconds since 1970-01-01 UTC.

CREATE TABLE watch_state (
    node     TEXT   NOT NULL,
    place    TEXT   NOT NULL, -- such as account/gz-hukou-window/natural-person
    state    BLOB NOT NULL, -- counters and keyed hashes, no number of anybody
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (node, place)
) STRICT;

CREATE TABLE honey (
    subject  TEXT   NOT NULL PRIMARY KEY, -- pseudonym, as in the audit log
    account  TEXT   NOT NULL, -- who named it
    named_at INTEGER NOT NULL
) STRICT;

CREATE TABLE alerts (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    opened_at  INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL, -- the last time that the same was seen
    client     TEXT   NOT NULL,
    department TEXT   NOT NULL,
    dataset    TEXT   NOT NULL,
    provider   TEXT   NOT NULL, -- the department that owns the dataset
    item       TEXT   NOT NULL,
    signal     TEXT   NOT NULL,
    level      TEXT   NOT NULL, -- the highest so far
    held_until INTEGER NOT NULL,
    evidence   TEXT   NOT NULL, -- JSON: counts
    state      TEXT   NOT NULL CHECK (state IN ('open', 'acknowledged', 'dismissed')),
    account    TEXT,            -- who acknowledged or dismissed it
    acted_at   INTEGER,
    reason     TEXT
) STRICT;
-- One alert an episode: what is seen again is noted in the one that stands.
CREATE UNIQUE INDEX alerts_standing ON alerts (client, dataset, signal) WHERE state <> 'dismissed';
CREATE INDEX alerts_by_provider ON alerts (provider, number);
CREATE INDEX alerts_dismissed ON alerts (acted_at) WHERE state = 'dismissed';
