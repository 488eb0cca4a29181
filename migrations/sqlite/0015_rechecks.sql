-- Calls that are finished later, and how their clients are told. Times are milliseconds since 1970-01-01 UTC.

-- Where a client is told.
CREATE TABLE webhooks (
    client  TEXT NOT NULL PRIMARY KEY REFERENCES clients (id),
    url     TEXT NOT NULL,
    account TEXT NOT NULL, -- who named it
    since   INTEGER NOT NULL
) STRICT;

CREATE TABLE rechecks (
    id         TEXT NOT NULL PRIMARY KEY,
    call_id    TEXT NOT NULL, -- of the indeterminate answer
    client     TEXT NOT NULL, -- who has filed it, and in whose name the call is made again
    discloses  INTEGER NOT NULL, -- 1: a disclosure; 0: a verification
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'settled', 'refused', 'expired', 'cancelled')),
    sealed_by  TEXT NOT NULL, -- names the key under which `body` and `said` are sealed
    body       BLOB, -- of the call; erased at the end
    said       BLOB, -- the last answer, or why it was refused
    said_as    TEXT, -- id of the call that said it
    tries      INTEGER NOT NULL,
    filed_at   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL, -- next try; while one is under way, when it counts as lost
    ended_at   INTEGER
) STRICT;
CREATE UNIQUE INDEX rechecks_once ON rechecks (client, call_id);
CREATE INDEX rechecks_by_client ON rechecks (client, id);
CREATE INDEX rechecks_due ON rechecks (due_at) WHERE state = 'waiting';
CREATE INDEX rechecks_ended ON rechecks (ended_at) WHERE state <> 'waiting';

CREATE TABLE deliveries (
    id       TEXT NOT NULL PRIMARY KEY,
    recheck  TEXT NOT NULL UNIQUE REFERENCES rechecks (id) ON DELETE CASCADE,
    client   TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    tries    INTEGER NOT NULL,
    made_at  INTEGER NOT NULL,
    due_at   INTEGER NOT NULL, -- as above
    ended_at INTEGER,
    failure  TEXT -- why the last try failed
) STRICT;
CREATE INDEX deliveries_by_client ON deliveries (client, id);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'waiting';
