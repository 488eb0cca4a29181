-- Accounts of people: clients with roles. The stamp takes the place of the clients' revision, for everything that decides
-- what calls may do. Acts: who did what in the ledger, and why; only ever added to.

DROP TRIGGER clients_inserted;
DROP TRIGGER clients_updated;
DROP TRIGGER clients_deleted;
DROP TABLE clients_revision;

ALTER TABLE clients ADD COLUMN roles TEXT NOT NULL DEFAULT ''; -- separated by commas; none for a system

-- One number that changes with every change that calls must see, whoever makes it, so that a node can ask cheaply
-- whether what it holds in memory is still true.
CREATE TABLE stamp (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    number   INTEGER NOT NULL
) STRICT;
INSERT INTO stamp (only_row, number) VALUES (1, 0);

CREATE TABLE acts (
    number  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL, -- milliseconds since 1970-01-01 UTC
    account TEXT    NOT NULL, -- or `on-site`: whoever worked on the node itself
    act     TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    reason  TEXT    NOT NULL
) STRICT;
CREATE INDEX acts_by_subject ON acts (subject, number);
