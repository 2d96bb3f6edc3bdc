-- Version 1, in each of its forms, gets the columns of version 2; the new tables' own files follow. No row is lost, and
-- none changes its meaning: what is kept for speed is worked out anew afterwards (functions/_derive.sql).

-- Early forms had neither. An empty `uncrashed` says that build numbers may have been lost, which nobody knows here.
CREATE SEQUENCE IF NOT EXISTS piw.asked_seq AS bigint;
CREATE UNLOGGED TABLE IF NOT EXISTS piw.uncrashed (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1)
);
ALTER TABLE piw.stat_delta ALTER COLUMN amount TYPE numeric;
ALTER TABLE piw.stat_total ALTER COLUMN n TYPE numeric, ALTER COLUMN amount TYPE numeric;

ALTER TABLE piw.abi ADD COLUMN platforms text[] NOT NULL DEFAULT '{}';

ALTER TABLE piw.package
    ADD COLUMN status text NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'archived', 'deprecated', 'quarantined')),
    ADD COLUMN status_reason text,
    ADD COLUMN removed_at timestamptz,
    ADD COLUMN missing_since timestamptz,
    ADD COLUMN serial bigint NOT NULL DEFAULT 0 CHECK (serial >= 0),
    ADD COLUMN etag text,
    ADD COLUMN page_serial bigint NOT NULL DEFAULT 0 CHECK (page_serial >= 0),
    ADD COLUMN read_at timestamptz,
    ADD COLUMN read_due timestamptz,
    ADD COLUMN fails smallint NOT NULL DEFAULT 0 CHECK (fails >= 0),
    ADD COLUMN dl_bucket smallint NOT NULL DEFAULT 0 CHECK (dl_bucket BETWEEN 0 AND 40),
    ADD COLUMN newest integer;
CREATE INDEX package_read_due ON piw.package (read_due) WHERE read_due IS NOT NULL;
CREATE INDEX package_skip ON piw.package (name) WHERE skip IS NOT NULL;

ALTER TABLE piw.version
    ADD COLUMN named boolean NOT NULL DEFAULT false,
    ADD COLUMN fresh boolean NOT NULL DEFAULT false,
    ADD COLUMN sdist boolean NOT NULL DEFAULT true,
    ADD COLUMN yank text,
    ADD COLUMN imported boolean NOT NULL DEFAULT false,
    ADD COLUMN removed_at timestamptz,
    ADD COLUMN pythons bigint CHECK (pythons >= 0),
    ADD COLUMN pure text,
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
CREATE INDEX version_skip ON piw.version (pkg_id) WHERE skip IS NOT NULL;

ALTER TABLE piw.build DROP CONSTRAINT build_outcome_check;
ALTER TABLE piw.build
    ADD CONSTRAINT build_outcome_check CHECK (outcome IN ('built', 'failed', 'timeout', 'no-sdist', 'bad-wheel',
        'lost-slave', 'lost-transfer', 'superseded', 'cancelled', 'upload-race', 'network', 'silence',
        'out-of-memory', 'disk', 'log-limit', 'wheel-limit', 'disk-limit', 'process-limit')),
    ADD COLUMN void boolean NOT NULL DEFAULT false,
    ADD COLUMN report jsonb CHECK (jsonb_typeof(report) = 'object'),
    ADD COLUMN apt jsonb GENERATED ALWAYS AS (report -> 'apt') STORED;
ALTER TABLE piw.file
    ALTER COLUMN metadata_sha256 DROP NOT NULL,
    ADD COLUMN requires_dist text[] NOT NULL DEFAULT '{}',
    ADD COLUMN withheld text CHECK (btrim(withheld) <> '');

-- What waits had its page read when somebody asked for it, and is handed out on.
ALTER TABLE piw.vstate
    ADD COLUMN asked bigint,
    ADD COLUMN checked boolean NOT NULL DEFAULT true,
    ADD COLUMN deps boolean NOT NULL DEFAULT false;
ALTER TABLE piw.queue ADD COLUMN ready boolean NOT NULL DEFAULT true;
ALTER TABLE piw.queue ALTER COLUMN ready DROP DEFAULT;
DROP INDEX piw.queue_next;
CREATE INDEX queue_next ON piw.queue (abi_id, prio, ver_id) WHERE ready;
CREATE INDEX queue_unchecked ON piw.queue (abi_id, prio, ver_id) WHERE NOT ready;
ALTER TABLE piw.delayed ADD COLUMN why text NOT NULL DEFAULT 'retry' CHECK (why IN ('retry', 'cooldown', 'page'));

ALTER TABLE piw.lease ADD COLUMN build_tag bigint NOT NULL DEFAULT 0 CHECK (build_tag >= 0);

-- A priority of class 0, which every version had, was the order of asking. Early forms had another number in its place,
-- of the same order, which the next to ask would come before: those are counted anew.
UPDATE piw.vstate SET asked = prio WHERE prio < 1::bigint << 48;
DO $$
DECLARE
    v_asked bigint := (SELECT count(s.asked) FROM piw.vstate s);
BEGIN
    IF (SELECT max(s.asked) FROM piw.vstate s) > (SELECT q.last_value FROM piw.asked_seq q) THEN
        UPDATE piw.vstate s SET asked = o.place
        FROM (
            SELECT i.ver_id, row_number() OVER (ORDER BY i.asked, i.ver_id) AS place
            FROM piw.vstate i WHERE i.asked IS NOT NULL
        ) AS o
        WHERE o.ver_id = s.ver_id;
        PERFORM setval('piw.asked_seq', v_asked);
    END IF;
END
$$;

-- What is ordered in bulk does not hold up the rest, and the home page is a page like the others.
ALTER TABLE piw.rewrite ADD COLUMN bulk boolean NOT NULL DEFAULT false;
ALTER TABLE piw.rewrite DROP CONSTRAINT rewrite_kind_check, DROP CONSTRAINT rewrite_check,
    ADD CHECK (kind IN ('project', 'root', 'home')), ADD CHECK ((kind = 'project') = (pkg_id <> 0));
DROP INDEX piw.rewrite_age;
CREATE INDEX rewrite_age ON piw.rewrite (bulk, ordered_at, kind, pkg_id);

-- Version 1 built what was yanked like anything else that somebody asked for.
UPDATE piw.version v SET named = true
FROM piw.vstate s
WHERE s.ver_id = v.ver_id AND s.asked IS NOT NULL AND v.yanked IS NOT NULL;
