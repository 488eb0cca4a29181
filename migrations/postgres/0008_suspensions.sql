-- What is stopped: a client, an agreement, a dataset, a field, a peer, or everything. A row is there while it is stopped;
-- who stopped and resumed it, and why, stands in `acts`.

CREATE TABLE suspensions (
    target TEXT    NOT NULL PRIMARY KEY, -- such as `everything`, `dataset:natural-person`, `field:natural-person.phone`
    reason TEXT    NOT NULL,
    account TEXT   NOT NULL,
    since  BIGINT  NOT NULL -- milliseconds since 1970-01-01 UTC
);
