-- Wrong subjects that were named where only the right one opens something. Times are milliseconds since 1970-01-01 UTC.

CREATE TABLE guesses (
    about   TEXT    NOT NULL PRIMARY KEY, -- such as `receipt:0193a5b2-...` (a call) or `objection:0193a5b2-...`
    wrong   BIGINT  NOT NULL,
    last_at BIGINT  NOT NULL
);
