-- Revisions of the catalogue: what was proposed, by whom and why, who reviewed it, and what is published.
CREATE TABLE catalog_revisions (
    number BIGINT PRIMARY KEY,
    -- The revision that it was made from; 0 for the first.
    base BIGINT NOT NULL,
    -- SHA-256 of the content, in hexadecimal.
    hash TEXT NOT NULL,
    -- The files of the catalogue, as a JSON object of names and texts.
    content TEXT NOT NULL,
    -- What it changes of its base, one change a line, and how much the worst of them costs.
    changes TEXT NOT NULL,
    effect TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- Agreements that end with it, as its author accepted: a JSON list of ids.
    ended TEXT NOT NULL,
    -- NULL for the first, which is read from the files of the node.
    author TEXT,
    author_department TEXT,
    created_ms BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'in_review', 'published', 'rejected', 'retired')),
    reviewer TEXT,
    reviewed_ms BIGINT,
    note TEXT
);

-- Whatever happens, one revision is published.
CREATE UNIQUE INDEX catalog_revisions_published ON catalog_revisions (state) WHERE state = 'published';
