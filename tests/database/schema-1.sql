-- The tables of schema version 1, as they were when version 2 came. Frozen: what piw-initdb upgrades from.
-- With two of its functions, which an upgrade has to remove.

-- The database's own version. One row; piw-initdb alone writes it.
CREATE TABLE piw.meta (
    id             smallint    PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    schema_version integer     NOT NULL CHECK (schema_version >= 0),
    changed_at     timestamptz NOT NULL DEFAULT now()
);

-- The ABIs the farm builds for. Their order is `rank` and never the text, in which cp311 comes before cp39.
-- `abi_id` is the bit of vstate.done, which is why there are at most 62; an id is never used twice.
CREATE TABLE piw.abi (
    abi_id   smallint PRIMARY KEY CHECK (abi_id BETWEEN 1 AND 62),
    tag      text     COLLATE "C" NOT NULL UNIQUE CHECK (tag ~ '^cp[1-9][0-9]{1,3}[a-z]{0,4}$'),
    rank     smallint NOT NULL UNIQUE,
    -- Why nothing more is built for it; null when it is.
    skip     text,
    -- Taken from the tag, so that the rule of abi3 can be asked of the table.
    py_major smallint NOT NULL GENERATED ALWAYS AS (substring(tag FROM '^cp([0-9])')::smallint) STORED,
    py_minor smallint NOT NULL GENERATED ALWAYS AS (substring(tag FROM '^cp[0-9]([0-9]+)')::smallint) STORED,
    flags    text     NOT NULL GENERATED ALWAYS AS (substring(tag FROM '^cp[0-9]+([a-z]*)$')) STORED
);

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

-- What is to be built, and who is building it. At most one open row (queue, delayed or live lease) per version: the
-- lowest ABI is built first, and what comes out of it decides whether another ABI is wanted at all.

-- The order in which people asked for versions; see functions/_prio.sql.
CREATE SEQUENCE piw.asked_seq AS bigint;

-- How far a version is. Follows from build and file (the audit compares) but is kept, because recomputing it is a
-- scan over millions of rows. No index beside the key: `done` then changes without touching one.
CREATE TABLE piw.vstate (
    ver_id    integer PRIMARY KEY REFERENCES piw.version ON DELETE CASCADE,
    -- Smaller is sooner; see functions/_prio.sql.
    prio      bigint  NOT NULL CHECK (prio >= 0),
    -- Bit abi_id is set when that ABI is settled: built, failed, or served by an abi3 wheel.
    done      bigint  NOT NULL DEFAULT 0 CHECK (done >= 0),
    -- A wheel without ABI serves every ABI, those to come too.
    covered   boolean NOT NULL DEFAULT false,
    -- An abi3 wheel serves every ABI from this Python on (major * 1000 + minor), those to come too.
    abi3_from integer,
    -- Package or version are skipped: nothing is queued.
    blocked   boolean NOT NULL DEFAULT false
) WITH (fillfactor = 80);

CREATE TABLE piw.queue (
    ver_id  integer  NOT NULL REFERENCES piw.vstate ON DELETE CASCADE,
    abi_id  smallint NOT NULL REFERENCES piw.abi,
    prio    bigint   NOT NULL,
    attempt smallint NOT NULL CHECK (attempt > 0),
    PRIMARY KEY (ver_id, abi_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_next ON piw.queue (abi_id, prio, ver_id);

-- Jobs whose last attempt ended in a way that another may mend, until they are due again.
CREATE TABLE piw.delayed (
    ver_id  integer     NOT NULL REFERENCES piw.vstate ON DELETE CASCADE,
    abi_id  smallint    NOT NULL REFERENCES piw.abi,
    prio    bigint      NOT NULL,
    attempt smallint    NOT NULL CHECK (attempt > 0),
    due     timestamptz NOT NULL,
    PRIMARY KEY (ver_id, abi_id)
);
CREATE INDEX delayed_due ON piw.delayed (due);

CREATE SEQUENCE piw.build_id_seq AS bigint;

-- One row, and none after a crash of the server, which empties an unlogged table and no other: the first claim then
-- leaves out the build numbers that the crash may have taken back (functions/_skip_lost_numbers.sql).
CREATE UNLOGGED TABLE piw.uncrashed (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1)
);
INSERT INTO piw.uncrashed DEFAULT VALUES;

-- Jobs that were handed out. A row goes when the result is recorded; one that ended without result stays for a week,
-- so that a late result is still recorded. Small and busy: half-full pages keep its updates in place.
CREATE TABLE piw.lease (
    build_id   bigint      PRIMARY KEY DEFAULT nextval('piw.build_id_seq'),
    ver_id     integer     NOT NULL REFERENCES piw.version ON DELETE CASCADE,
    abi_id     smallint    NOT NULL REFERENCES piw.abi,
    attempt    smallint    NOT NULL CHECK (attempt > 0),
    slave      text        NOT NULL CHECK (slave <> ''),
    secret     bytea       NOT NULL UNIQUE CHECK (octet_length(secret) = 16),
    claimed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended      text        CHECK (ended IN ('expired', 'released', 'superseded')),
    ended_at   timestamptz,
    CHECK ((ended IS NULL) = (ended_at IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
ALTER SEQUENCE piw.build_id_seq OWNED BY piw.lease.build_id;
CREATE UNIQUE INDEX lease_live ON piw.lease (ver_id, abi_id) WHERE ended IS NULL;
CREATE INDEX lease_version ON piw.lease (ver_id);
CREATE INDEX lease_expiry ON piw.lease (expires_at) WHERE ended IS NULL;
CREATE INDEX lease_ended ON piw.lease (ended_at) WHERE ended IS NOT NULL;

-- Finished attempts and the files they published.

-- One row per recorded attempt, under the number its lease had.
CREATE TABLE piw.build (
    build_id    bigint      PRIMARY KEY,
    ver_id      integer     NOT NULL REFERENCES piw.version ON DELETE CASCADE,
    abi_id      smallint    NOT NULL REFERENCES piw.abi,
    attempt     smallint    NOT NULL CHECK (attempt > 0),
    slave       text        NOT NULL,
    outcome     text        NOT NULL CHECK (outcome IN ('built', 'failed', 'timeout', 'no-sdist', 'bad-wheel',
                                                        'lost-slave', 'lost-transfer', 'superseded', 'cancelled')),
    -- The lease's: tells a result that comes twice from a stranger's.
    secret      bytea       NOT NULL CHECK (octet_length(secret) = 16),
    built_at    timestamptz NOT NULL,
    duration_ms bigint      NOT NULL CHECK (duration_ms >= 0),
    log_bytes   bigint      NOT NULL CHECK (log_bytes >= 0)
);
CREATE INDEX build_version ON piw.build (ver_id, abi_id);
CREATE INDEX build_time ON piw.build (built_at);

-- A published file name never changes its bytes.
CREATE TABLE piw.file (
    file_id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    filename        text        COLLATE "C" NOT NULL UNIQUE CHECK (filename <> ''),
    build_id        bigint      NOT NULL REFERENCES piw.build ON DELETE CASCADE,
    pkg_id          integer     NOT NULL REFERENCES piw.package ON DELETE CASCADE,
    ver_id          integer     NOT NULL REFERENCES piw.version ON DELETE CASCADE,
    size            bigint      NOT NULL CHECK (size > 0),
    sha256          bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    python_tag      text        NOT NULL CHECK (python_tag <> ''),
    abi_tag         text        NOT NULL CHECK (abi_tag <> ''),
    platform_tag    text        NOT NULL CHECK (platform_tag <> ''),
    requires_python text,
    metadata_sha256 bytea       NOT NULL CHECK (octet_length(metadata_sha256) = 32),
    published_at    timestamptz NOT NULL
);
CREATE INDEX file_build ON piw.file (build_id);
CREATE INDEX file_package ON piw.file (pkg_id);
CREATE INDEX file_version ON piw.file (ver_id);

-- Pages that are due for writing: rows, so that a crash loses none. Orders for one page are merged.
CREATE SEQUENCE piw.rewrite_order_seq AS bigint;

CREATE TABLE piw.rewrite (
    kind       text        NOT NULL CHECK (kind IN ('project', 'root')),
    -- 0 for the root, which is why there is no foreign key: rewrites_due drops the orders of deleted packages.
    pkg_id     integer     NOT NULL CHECK ((kind = 'root') = (pkg_id = 0)),
    -- The newest order; unique over all pages and growing for each.
    ordered    bigint      NOT NULL DEFAULT nextval('piw.rewrite_order_seq'),
    -- Its place in the line: the moment of the oldest order that is not written yet, so that a page that is ordered again
    -- and again keeps its turn, or of the last failure to write it.
    ordered_at timestamptz NOT NULL,
    PRIMARY KEY (kind, pkg_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
ALTER SEQUENCE piw.rewrite_order_seq OWNED BY piw.rewrite.ordered;
CREATE INDEX rewrite_age ON piw.rewrite (ordered_at, kind, pkg_id);

-- Counters. Transactions append to stat_delta, because a counter row that all of them update halves their rate; the
-- sweep folds the deltas into stat_total. A counter's value is its total plus its deltas.
--   kind 'build:<outcome>'  n builds, amount milliseconds spent building
--   kind 'file'             n files, amount bytes
-- Numeric, because a sum that does not fit would be met when the deltas are folded: long after what caused it, and
-- again at every attempt.
CREATE TABLE piw.stat_delta (
    kind   text    NOT NULL,
    n      bigint  NOT NULL,
    amount numeric NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE piw.stat_total (
    kind   text    PRIMARY KEY,
    n      numeric NOT NULL,
    amount numeric NOT NULL
);

CREATE FUNCTION piw.schema_version() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$ SELECT m.schema_version FROM meta m $$;

CREATE FUNCTION piw._abi3_mask(p_from integer) RETURNS bigint
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT coalesce(bit_or(1::bigint << a.abi_id), 0) FROM abi a
    WHERE p_from <= a.py_major * 1000 + a.py_minor AND a.flags NOT LIKE '%t%'
$$;
