-- Registered clients, and the assertions that they have used up. Times are whole seconds since 1970-01-01 UTC.

CREATE TABLE clients (
    id            TEXT   NOT NULL PRIMARY KEY,
    department    TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    jwks          TEXT   NOT NULL, -- public keys only (RFC 7517)
    status        TEXT   NOT NULL CHECK (status IN ('active', 'suspended')),
    registered_at BIGINT NOT NULL,
    tokens_from   BIGINT NOT NULL  -- tokens issued before this second are void
);

-- An assertion is good for one token (RFC 7523 section 3, `jti`).
CREATE TABLE used_assertions (
    client     TEXT   NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    jti        TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (client, jti)
);
CREATE INDEX used_assertions_by_expiry ON used_assertions (expires_at);
