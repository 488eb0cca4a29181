-- Registered clients, and the assertions that they have used up. Times are whole seconds since 1970-01-01 UTC.

CREATE TABLE clients (
    id            TEXT    NOT NULL PRIMARY KEY,
    department    TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    jwks          TEXT    NOT NULL, -- public keys only (RFC 7517)
    status        TEXT    NOT NULL CHECK (status IN ('active', 'suspended')),
    registered_at INTEGER NOT NULL,
    tokens_from   INTEGER NOT NULL  -- tokens issued before this second are void
) STRICT;

-- One number that changes with every change of a client, whoever makes it, so that a node can ask cheaply
-- whether what it holds in memory is still true.
CREATE TABLE clients_revision (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    number   INTEGER NOT NULL
) STRICT;
INSERT INTO clients_revision (only_row, number) VALUES (1, 0);

CREATE TRIGGER clients_inserted AFTER INSERT ON clients BEGIN
    UPDATE clients_revision SET number = number + 1;
END;
CREATE TRIGGER clients_updated AFTER UPDATE ON clients BEGIN
    UPDATE clients_revision SET number = number + 1;
END;
CREATE TRIGGER clients_deleted AFTER DELETE ON clients BEGIN
    UPDATE clients_revision SET number = number + 1;
END;

-- An assertion is good for one token (RFC 7523 section 3, `jti`).
CREATE TABLE used_assertions (
    client     TEXT    NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    jti        TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (client, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_assertions_by_expiry ON used_assertions (expires_at);
