-- The nodes that the directory lists, at the node that issues it. A revoked one stays, so that its serial is never used again.

CREATE TABLE members (
    node    TEXT    NOT NULL PRIMARY KEY,
    card    TEXT    NOT NULL, -- JSON, as the node gave it
    serial  INTEGER NOT NULL, -- of the directory that this change made
    since   INTEGER NOT NULL, -- milliseconds since 1970-01-01 UTC
    revoked INTEGER NOT NULL  -- 1: no longer listed
) STRICT;
