-- Objections against answers, and ratings of answers. Times are milliseconds since 1970-01-01 UTC.

CREATE TABLE objections (
    id                TEXT    NOT NULL PRIMARY KEY,
    call_id           TEXT    NOT NULL, -- of the answer that is objected to
    dataset           TEXT    NOT NULL,
    provider          TEXT    NOT NULL, -- the department that owns the dataset
    item              TEXT    NOT NULL,
    dataset_version   BIGINT NOT NULL, -- that answered
    as_of             TEXT    NOT NULL,
    fields            TEXT    NOT NULL, -- JSON: names of the fields that are said to be wrong
    statement         TEXT    NOT NULL, -- what is wrong, in the filer's words
    subject_field     TEXT    NOT NULL,
    subject           TEXT    NOT NULL, -- pseudonym, as in the audit log
    subject_value     TEXT,             -- for the steward; erased when the objection is decided
    filed_by          TEXT    NOT NULL,
    filed_department  TEXT    NOT NULL,
    filed_at          BIGINT NOT NULL,
    due               TEXT    NOT NULL, -- last day to decide (China)
    due_provisional   BIGINT NOT NULL, -- 1: holidays of that year are not known yet
    state             TEXT    NOT NULL CHECK (state IN ('open', 'corrected', 'upheld', 'not_ours')),
    decided_by        TEXT,
    decided_at        BIGINT,
    decision          TEXT,             -- the reason, for the filer
    corrected_version BIGINT,          -- that holds the correction
    told_at           BIGINT           -- the filer has read the decision
);
-- One objection at a time against one answer.
CREATE UNIQUE INDEX objections_open ON objections (call_id) WHERE state = 'open';
CREATE INDEX objections_by_provider ON objections (provider, state, id);
CREATE INDEX objections_by_filer ON objections (filed_department, id);
CREATE INDEX objections_by_subject ON objections (subject);

CREATE TABLE ratings (
    call_id    TEXT    NOT NULL PRIMARY KEY, -- one rating an answer
    dataset    TEXT    NOT NULL,
    provider   TEXT    NOT NULL,
    item       TEXT    NOT NULL,
    grade      BIGINT NOT NULL CHECK (grade BETWEEN 1 AND 5),
    reason     TEXT    NOT NULL,
    department TEXT    NOT NULL,
    rated_by   TEXT    NOT NULL,
    rated_at   BIGINT NOT NULL
);
CREATE INDEX ratings_by_dataset ON ratings (dataset, grade);
