-- What is to be built, and who is building it. At most one open row (queue, delayed or live lease) per version: the
-- lowest ABI is built first, and what comes out of it decides whether another ABI is wanted at all.

-- The order in which people asked for versions; see views/judgement.sql.
CREATE SEQUENCE piw.asked_seq AS bigint;

-- How far a version is. Follows from build and file (the audit compares) but is kept, because recomputing it is a
-- scan over millions of rows. No index beside the key: `done` then changes without touching one.
CREATE TABLE piw.vstate (
    ver_id    integer PRIMARY KEY REFERENCES piw.version ON DELETE CASCADE,
    -- Smaller is sooner; see views/judgement.sql.
    prio      bigint  NOT NULL CHECK (prio >= 0),
    -- Bit abi_id is set when an attempt for that ABI settled it.
    done      bigint  NOT NULL DEFAULT 0 CHECK (done >= 0),
    -- A wheel without ABI serves every ABI, those to come too.
    covered   boolean NOT NULL DEFAULT false,
    -- An abi3 wheel serves every ABI from this Python on (major * 1000 + minor), those to come too.
    abi3_from integer,
    -- Something speaks against building it: nothing is queued; what that is says views/judgement.sql.
    blocked   boolean NOT NULL DEFAULT false,
    -- The order in which somebody asked for it; null when nobody did.
    asked     bigint,
    -- The project's page was read and speaks for building it. Until then it is handed out to nobody.
    checked   boolean NOT NULL DEFAULT true,
    -- Its requirements are wanted too.
    deps      boolean NOT NULL DEFAULT false
) WITH (fillfactor = 80);

CREATE TABLE piw.queue (
    ver_id  integer  NOT NULL REFERENCES piw.vstate ON DELETE CASCADE,
    abi_id  smallint NOT NULL REFERENCES piw.abi,
    prio    bigint   NOT NULL,
    attempt smallint NOT NULL CHECK (attempt > 0),
    -- That of vstate.checked.
    ready   boolean  NOT NULL,
    PRIMARY KEY (ver_id, abi_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_next ON piw.queue (abi_id, prio, ver_id) WHERE ready;
CREATE INDEX queue_unchecked ON piw.queue (abi_id, prio, ver_id) WHERE NOT ready;

-- Jobs that wait for a moment: because their last attempt ended in a way that another may mend ('retry'), because they
-- are too new yet ('cooldown'), because the project's page cannot be read ('page').
CREATE TABLE piw.delayed (
    ver_id  integer     NOT NULL REFERENCES piw.vstate ON DELETE CASCADE,
    abi_id  smallint    NOT NULL REFERENCES piw.abi,
    prio    bigint      NOT NULL,
    attempt smallint    NOT NULL CHECK (attempt > 0),
    due     timestamptz NOT NULL,
    why     text        NOT NULL DEFAULT 'retry' CHECK (why IN ('retry', 'cooldown', 'page')),
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
    -- The build tag that its wheels are to have (functions/_build_tag.sql); 0: none but a backend's own.
    build_tag  bigint      NOT NULL DEFAULT 0 CHECK (build_tag >= 0),
    ended      text        CHECK (ended IN ('expired', 'released', 'superseded')),
    ended_at   timestamptz,
    CHECK ((ended IS NULL) = (ended_at IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
ALTER SEQUENCE piw.build_id_seq OWNED BY piw.lease.build_id;
CREATE UNIQUE INDEX lease_live ON piw.lease (ver_id, abi_id) WHERE ended IS NULL;
CREATE INDEX lease_version ON piw.lease (ver_id);
CREATE INDEX lease_expiry ON piw.lease (expires_at) WHERE ended IS NULL;
CREATE INDEX lease_ended ON piw.lease (ended_at) WHERE ended IS NOT NULL;
