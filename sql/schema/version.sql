-- Packages and versions on the farm's list. Names are canonical (PEP 503), the author's spelling stands beside.
CREATE TABLE piw.package (
    pkg_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text    COLLATE "C" NOT NULL UNIQUE CHECK (name <> ''),
    display   text    NOT NULL CHECK (display <> ''),
    -- Why the operator skips it; null when not.
    skip      text,
    -- Whether it has files: kept here so that the root index is read from one small index. The audit compares.
    published boolean NOT NULL DEFAULT false
);
CREATE INDEX package_published ON piw.package (name) WHERE published;

CREATE TABLE piw.version (
    ver_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pkg_id     integer NOT NULL REFERENCES piw.package ON DELETE CASCADE,
    version    text    COLLATE "C" NOT NULL CHECK (version <> ''),
    -- Bytes that order as PEP 440 does and are equal where versions are (1.0 and 1.0.0).
    sort_key   bytea   NOT NULL CHECK (octet_length(sort_key) > 0),
    released   timestamptz,
    skip       text,
    -- PEP 592: the reason, which may be empty; null when not yanked.
    yanked     text,
    prerelease boolean NOT NULL,
    UNIQUE (pkg_id, sort_key)
);
