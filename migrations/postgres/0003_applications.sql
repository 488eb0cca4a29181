-- Applications for data with everything that happened to them, and what became of the agreements. Times are milliseconds
-- since 1970-01-01 UTC. Events are only ever added to.

CREATE TABLE applications (
    number       BIGINT NOT NULL PRIMARY KEY, -- `app-17` is 17
    consumer     TEXT   NOT NULL,
    dataset      TEXT   NOT NULL,
    provider     TEXT   NOT NULL,
    applicant    TEXT   NOT NULL,
    asked        TEXT   NOT NULL,             -- the terms, as JSON
    legal_basis  TEXT   NOT NULL,
    scenario     TEXT   NOT NULL,
    mode         TEXT   NOT NULL,
    renews       TEXT,                        -- the agreement that it continues
    state        TEXT   NOT NULL,
    clock_from   BIGINT,                      -- none: the clock does not run
    clock_days   BIGINT,                      -- working days from then, or left when it runs again; none: it has stopped
    extended     BIGINT NOT NULL,
    escalated    BIGINT NOT NULL,
    submitted_at BIGINT NOT NULL,
    decided_at   BIGINT,
    granted      TEXT,                        -- the terms of the agreement `app-<number>`, as JSON
    shared_at    BIGINT
);
CREATE INDEX applications_by_consumer ON applications (consumer, number);
CREATE INDEX applications_by_provider ON applications (provider, number);

CREATE TABLE application_events (
    application BIGINT NOT NULL REFERENCES applications (number),
    position    BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    account     TEXT,                         -- none: the node itself
    step        TEXT   NOT NULL,
    state       TEXT   NOT NULL,              -- after it
    reason      TEXT   NOT NULL,
    detail      TEXT   NOT NULL,              -- JSON
    PRIMARY KEY (application, position)
);

-- The last event of an agreement says how it stands; without one it is in force.
CREATE TABLE agreement_events (
    agreement TEXT   NOT NULL,
    position  BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    account   TEXT   NOT NULL,
    step      TEXT   NOT NULL CHECK (step IN ('suspended', 'resumed', 'revoked')),
    reason    TEXT   NOT NULL,
    PRIMARY KEY (agreement, position)
);
