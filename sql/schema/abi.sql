-- The ABIs the farm builds for. Their order is `rank` and never the text, in which cp311 comes before cp39.
-- `abi_id` is the bit of vstate.done, which is why there are at most 62; an id is never used twice.
CREATE TABLE piw.abi (
    abi_id   smallint PRIMARY KEY CHECK (abi_id BETWEEN 1 AND 62),
    tag      text     COLLATE "C" NOT NULL UNIQUE CHECK (tag ~ '^cp[1-9][0-9]{1,3}[a-z]{0,4}$'),
    rank     smallint NOT NULL UNIQUE,
    -- Why nothing more is built for it; null when it is.
    skip     text,
    -- Platforms of the slaves that may build for it; none: any.
    platforms text[] NOT NULL DEFAULT '{}',
    -- Taken from the tag, so that the rule of abi3 can be asked of the table.
    py_major smallint NOT NULL GENERATED ALWAYS AS (substring(tag FROM '^cp([0-9])')::smallint) STORED,
    py_minor smallint NOT NULL GENERATED ALWAYS AS (substring(tag FROM '^cp[0-9]([0-9]+)')::smallint) STORED,
    flags    text     NOT NULL GENERATED ALWAYS AS (substring(tag FROM '^cp[0-9]+([a-z]*)$')) STORED
);
