-- Packages and versions that the farm knows of. Names are canonical (PEP 503), the author's spelling stands beside.
CREATE TABLE piw.package (
    pkg_id        integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text        COLLATE "C" NOT NULL UNIQUE CHECK (name <> ''),
    display       text        NOT NULL CHECK (display <> ''),
    -- Why the operator skips it; null when not.
    skip          text,
    -- Whether it has files that may be shown: kept here so that the root index is read from one small index. The audit
    -- compares.
    published     boolean     NOT NULL DEFAULT false,
    -- PEP 792, as the index says.
    status        text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived', 'deprecated', 'quarantined')),
    status_reason text,
    -- Since when the index has it no more; and since when its page is missing, which may be a passing fault.
    removed_at    timestamptz,
    missing_since timestamptz,
    -- The newest event of it on the index that is known; a page that is older than that is not believed.
    serial        bigint      NOT NULL DEFAULT 0 CHECK (serial >= 0),
    -- Its page as it was last read: how it is recognised, what it was as new as, when that was.
    etag          text,
    page_serial   bigint      NOT NULL DEFAULT 0 CHECK (page_serial >= 0),
    read_at       timestamptz,
    -- When the page is to be read again whether or not a version waits for it; null: no need.
    read_due      timestamptz,
    -- Looks at it that failed one after the other.
    fails         smallint    NOT NULL DEFAULT 0 CHECK (fails >= 0),
    -- Bits of the number of downloads in the last 30 days: 0 for none, 1 for one, 2 for two and three …
    dl_bucket     smallint    NOT NULL DEFAULT 0 CHECK (dl_bucket BETWEEN 0 AND 40),
    -- Its newest version that is there and not yanked: a final release where there is one (functions/_renew_newest.sql).
    newest        integer
);
CREATE INDEX package_published ON piw.package (name) WHERE published;
CREATE INDEX package_read_due ON piw.package (read_due) WHERE read_due IS NOT NULL;
CREATE INDEX package_skip ON piw.package (name) WHERE skip IS NOT NULL;

CREATE TABLE piw.version (
    ver_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pkg_id     integer NOT NULL REFERENCES piw.package ON DELETE CASCADE,
    version    text    COLLATE "C" NOT NULL CHECK (version <> ''),
    -- Bytes that order as PEP 440 does and are equal where versions are (1.0 and 1.0.0).
    sort_key   bytea   NOT NULL CHECK (octet_length(sort_key) > 0),
    released   timestamptz,
    -- Why the operator skips it; null when not.
    skip       text,
    -- PEP 592: the reason, which may be empty; null when not yanked.
    yanked     text,
    -- The same, by the operator, whatever the index says of it.
    yank       text,
    -- Files of it were imported: the operator has them published whether or not the index has the release.
    imported   boolean NOT NULL DEFAULT false,
    prerelease boolean NOT NULL,
    -- Somebody asked for exactly this one (==): built although it is yanked.
    named      boolean NOT NULL DEFAULT false,
    -- It was new on the index when the farm learned of it.
    fresh      boolean NOT NULL DEFAULT false,
    -- Whether the index has a source distribution of it; and since when it has the release no more.
    sdist      boolean NOT NULL DEFAULT true,
    removed_at timestamptz,
    -- Which Pythons may install it: bit n is 3.n; null: any.
    pythons    bigint  CHECK (pythons >= 0),
    -- The index's own wheel for every Python and platform, if it has one.
    pure       text,
    -- The tags of its other wheels, as in their names.
    tags       text[]  NOT NULL DEFAULT '{}',
    UNIQUE (pkg_id, sort_key)
);
CREATE INDEX version_skip ON piw.version (pkg_id) WHERE skip IS NOT NULL;
