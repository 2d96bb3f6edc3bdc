-- Finished attempts and the files they published.

-- One row per recorded attempt, under the number its lease had.
CREATE TABLE piw.build (
    build_id    bigint      PRIMARY KEY,
    ver_id      integer     NOT NULL REFERENCES piw.version ON DELETE CASCADE,
    abi_id      smallint    NOT NULL REFERENCES piw.abi,
    attempt     smallint    NOT NULL CHECK (attempt > 0),
    slave       text        NOT NULL,
    outcome     text        NOT NULL CHECK (outcome IN ('built', 'failed', 'timeout', 'no-sdist', 'bad-wheel',
                                                        'lost-slave', 'lost-transfer', 'superseded', 'cancelled',
                                                        'upload-race', 'network', 'silence', 'out-of-memory',
                                                        'disk', 'log-limit', 'wheel-limit', 'disk-limit',
                                                        'process-limit')),
    -- The lease's: tells a result that comes twice from a stranger's.
    secret      bytea       NOT NULL CHECK (octet_length(secret) = 16),
    built_at    timestamptz NOT NULL,
    duration_ms bigint      NOT NULL CHECK (duration_ms >= 0),
    log_bytes   bigint      NOT NULL CHECK (log_bytes >= 0),
    -- Somebody asked for the version again since: what came of this attempt settles nothing any more.
    void        boolean     NOT NULL DEFAULT false,
    -- What the slave said of itself and of the build, for whoever wants to repeat it; null where it said nothing (a lost
    -- slave) and for builds of older versions. Nothing is decided by it: a build's own processes ran beside what it is read
    -- from. What the slave could not tell is null, or an empty list:
    --   python, platform    the slave's Python version (311) and platform (linux_armv7l)
    --   machine, os         its model, and its system with the kernel
    --   walls               what stood between the build and that machine (wire-spec/slave.md)
    --   interpreter, pip    with their versions; pip_arguments: what pip built with
    --   compiler            with its version
    --   sdist               what was built: {filename, size, sha256}
    --   requirements        what pip installed to build with: NAME-VERSION
    --   peak_memory         bytes, all of the build's processes together; cpu_ms: their processor time
    --   apt                 packages of its system that hold the shared libraries which the wheels need
    report      jsonb       CHECK (jsonb_typeof(report) = 'object'),
    -- That of the report, beside it, so that pages with many files read no whole reports.
    apt         jsonb       GENERATED ALWAYS AS (report -> 'apt') STORED
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
    -- Null for files of the original's, which kept no METADATA beside them.
    metadata_sha256 bytea       CHECK (octet_length(metadata_sha256) = 32),
    -- Requires-Dist of its METADATA, as it stands there.
    requires_dist   text[]      NOT NULL DEFAULT '{}',
    -- Why no page shows it, for people: the audit found other bytes under its name, or none. Null when it is shown.
    withheld        text        CHECK (btrim(withheld) <> ''),
    published_at    timestamptz NOT NULL
);
CREATE INDEX file_build ON piw.file (build_id);
CREATE INDEX file_package ON piw.file (pkg_id);
CREATE INDEX file_version ON piw.file (ver_id);
