-- How far the index was followed. One row.
CREATE TABLE piw.feed (
    id         smallint    PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    -- Every event up to this one is in the tables; it never goes back.
    serial     bigint      NOT NULL DEFAULT 0 CHECK (serial >= 0),
    -- Up to here none is expected to come late any more: the changelog is asked for what comes after.
    settled    bigint      NOT NULL DEFAULT 0 CHECK (settled BETWEEN 0 AND serial),
    -- When the changelog last answered.
    heard_at   timestamptz,
    -- The list of all projects as it was last compared to the end.
    list_etag  text,
    listed_at  timestamptz
);
INSERT INTO piw.feed DEFAULT VALUES;

-- Events after `settled` that are in the tables already: they come again with every call.
CREATE TABLE piw.feed_seen (
    serial bigint PRIMARY KEY
);

-- One release, as the index shows it: what functions hand to each other.
CREATE TYPE piw._release AS (
    version    text,
    sort_key   bytea,
    prerelease boolean,
    released   timestamptz,
    sdist      boolean,
    yanked     text,
    pythons    bigint,
    pure       text,
    -- with spaces between
    tags       text
);
