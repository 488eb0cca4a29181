-- The catalogue of all: the entries that this node publishes, those that it has heard from the nodes below, and how far it
-- has heard each of them. What the node above fetches is a walk over `number`.

CREATE TABLE catalog_feed (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    id       TEXT    NOT NULL, -- random: another ledger has another, and is fetched whole
    newest   INTEGER NOT NULL, -- the last number that was given
    revision INTEGER NOT NULL  -- of this node's own catalogue, as its entries are here; 0 before the first
) STRICT;

INSERT INTO catalog_feed (one, id, newest, revision) VALUES (1, lower(hex(randomblob(16))), 0, 0);

CREATE TABLE catalog_entries (
    origin  TEXT    NOT NULL, -- the node that publishes it
    dataset TEXT    NOT NULL,
    number  INTEGER NOT NULL UNIQUE, -- a new one with each change
    path    TEXT    NOT NULL, -- the nodes that it has passed, its origin first, with commas
    sender  TEXT    NOT NULL, -- the last of them
    entry   TEXT, -- JSON; NULL: no longer published
    changed INTEGER NOT NULL, -- milliseconds since 1970-01-01 UTC, as its origin said
    pass    INTEGER NOT NULL, -- in which walk over the sender's feed it was last seen
    PRIMARY KEY (origin, dataset)
) STRICT;

CREATE INDEX catalog_entries_sender ON catalog_entries (sender, pass);

CREATE TABLE catalog_sources (
    sender    TEXT    NOT NULL PRIMARY KEY,
    feed      TEXT    NOT NULL, -- the id of its feed
    judged_by TEXT    NOT NULL, -- what its entries were judged by: by other rules they are fetched again
    pass      INTEGER NOT NULL,
    heard     INTEGER NOT NULL, -- up to this number of its feed
    newest    INTEGER NOT NULL, -- the last number that it has told of
    confirmed INTEGER -- when the feed was last heard to its end; NULL: never yet
) STRICT;

CREATE TABLE catalog_origins (
    origin    TEXT    NOT NULL,
    sender    TEXT    NOT NULL,
    confirmed INTEGER NOT NULL, -- when the origin's feed was last heard to its end, on the whole way
    PRIMARY KEY (origin, sender)
) STRICT;
