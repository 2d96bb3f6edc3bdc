-- A farm of {versions} versions that has built for years, for ABIs with the numbers 1 to 4, whose order theirs is. Run by a
-- super-user on an empty database: nothing is checked here. piw.audit() finds nothing in what comes out.
--
--   packages  a few have thousands of versions, half of them three or fewer; the pages of half of them are to be read again
--             within six weeks, none within a day
--   versions  5 % pre-releases, 2 % yanked, 4 % without source distribution; of the packages' newest 2 % from this month
--   of 1,000  60 blocked, 400 with a wheel for every ABI, 30 with one for each, 20 with an abi3 wheel, 150 that failed for
--             all, 340 that wait: 270 for the first ABI, 40, 20 and 10 for the others after failures
SET session_replication_role = replica;
SET synchronous_commit = off;
SET maintenance_work_mem = '256MB';
SET work_mem = '256MB';
SELECT setseed(0.5);

CREATE FUNCTION pg_temp.draw(p_number integer, p_seed integer) RETURNS integer IMMUTABLE LANGUAGE sql
AS 'SELECT ((hashint4extended(p_number, p_seed) & 2147483647) % 1000)::integer';

-- Log-normal: the median is 3, one of 100 has more than 115.
CREATE TEMP TABLE project AS
SELECT c.pkg_id, c.before, least(c.versions, {versions} - c.before) AS versions
FROM (
    SELECT o.pkg_id, o.versions, (sum(o.versions) OVER (ORDER BY o.pkg_id) - o.versions)::integer AS before
    FROM (
        SELECT n AS pkg_id, least(2500, greatest(1,
            round(exp(1.1 + 1.57 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())))))::integer AS versions
        FROM generate_series(1, greatest(100, {versions} / 4)) AS n
    ) AS o
) AS c
WHERE c.before < {versions};

INSERT INTO piw.version (ver_id, pkg_id, version, sort_key, released, yanked, prerelease, fresh, sdist)
OVERRIDING SYSTEM VALUE
SELECT f.ver_id, f.pkg_id, '1.' || f.k || CASE WHEN f.pre THEN 'rc1' ELSE '' END,
    -- as Version::sort_key() has it
    '\x0000000000000000010000000000000001'::bytea || '\x01'::bytea || int8send(f.k) || '\x00'::bytea
        || CASE WHEN f.pre THEN '\x030000000000000001'::bytea ELSE '\xff'::bytea END || '\x00ff00'::bytea,
    date_trunc('second', now()) - CASE WHEN f.fresh THEN make_interval(hours => pg_temp.draw(f.ver_id, 3) % 700)
        ELSE make_interval(days => 31 + 10 * f.older + pg_temp.draw(f.pkg_id, 4)) END,
    CASE WHEN f.kind < 20 THEN 'broken' END, f.pre, f.fresh, f.kind NOT BETWEEN 20 AND 59
FROM (
    SELECT p.before + k AS ver_id, p.pkg_id, k::bigint AS k, p.versions - k AS older,
        pg_temp.draw(p.before + k, 1) AS kind, pg_temp.draw(p.before + k, 2) < 50 AS pre,
        k = p.versions AND pg_temp.draw(p.pkg_id, 5) < 20 AS fresh
    FROM project p CROSS JOIN LATERAL generate_series(1, p.versions) AS k
) AS f;

INSERT INTO piw.package (pkg_id, name, display, published, dl_bucket, read_at, read_due, newest) OVERRIDING SYSTEM VALUE
SELECT p.pkg_id, 'project-' || lpad(p.pkg_id::text, 7, '0'), 'Project-' || lpad(p.pkg_id::text, 7, '0'),
    EXISTS (SELECT FROM generate_series(p.before + 1, p.before + p.versions) AS v
        WHERE pg_temp.draw(v, 1) BETWEEN 60 AND 509),
    least(30, floor(-2 * ln((1 + pg_temp.draw(p.pkg_id, 6)) / 1000.0))), now() - interval '1 day',
    CASE WHEN p.pkg_id % 2 = 0 THEN now() + make_interval(hours => 24 + pg_temp.draw(p.pkg_id, 9)) END, n.ver_id
FROM project p LEFT JOIN (
    SELECT DISTINCT ON (v.pkg_id) v.pkg_id, v.ver_id FROM piw.version v WHERE v.sdist AND v.yanked IS NULL
    ORDER BY v.pkg_id, v.prerelease, v.sort_key DESC
) AS n ON n.pkg_id = p.pkg_id;
ANALYZE piw.version, piw.package;

-- The priorities are worked out by the view, which wants rows to be there.
INSERT INTO piw.vstate (ver_id, prio) SELECT v.ver_id, 0 FROM piw.version v;
ANALYZE piw.vstate;
CREATE TEMP TABLE judged AS SELECT j.ver_id, j.prio, j.why_not IS NOT NULL AS blocked FROM piw.judgement j ORDER BY j.ver_id;
TRUNCATE piw.vstate CASCADE;
INSERT INTO piw.vstate (ver_id, prio, blocked, covered, abi3_from, done)
SELECT j.ver_id, j.prio, j.blocked, k.kind BETWEEN 60 AND 459, CASE WHEN k.kind BETWEEN 490 AND 509 THEN 3009 END,
    CASE WHEN k.kind < 60 THEN 0 WHEN k.kind < 460 THEN 2 WHEN k.kind < 490 THEN 30 WHEN k.kind < 510 THEN 2
        WHEN k.kind < 660 THEN 30 WHEN k.kind < 930 THEN 0 WHEN k.kind < 970 THEN 2 WHEN k.kind < 990 THEN 6 ELSE 14 END
FROM judged j CROSS JOIN LATERAL (SELECT pg_temp.draw(j.ver_id, 1) AS kind) AS k;

INSERT INTO piw.queue (ver_id, abi_id, prio, attempt, ready)
SELECT s.ver_id, CASE s.done WHEN 0 THEN 1 WHEN 2 THEN 2 WHEN 6 THEN 3 ELSE 4 END, s.prio, 1, true
FROM piw.vstate s WHERE pg_temp.draw(s.ver_id, 1) >= 660;

INSERT INTO piw.build (build_id, ver_id, abi_id, attempt, slave, outcome, secret, built_at, duration_ms, log_bytes)
SELECT row_number() OVER (), s.ver_id, a, 1, 'pi-' || s.ver_id % 50,
    CASE WHEN pg_temp.draw(s.ver_id, 1) < 510 THEN 'built' ELSE 'failed' END,
    decode(md5(s.ver_id || ' ' || a), 'hex'),
    date_trunc('second', now()) - interval '2 hours' - ({versions} - s.ver_id) * interval '5 s',
    1000 + 100 * pg_temp.draw(s.ver_id, 7), 10 * pg_temp.draw(s.ver_id, 8)
FROM piw.vstate s CROSS JOIN generate_series(1, 4) AS a WHERE (s.done >> a) & 1 = 1;

INSERT INTO piw.file (filename, build_id, pkg_id, ver_id, size, sha256, python_tag, abi_tag, platform_tag,
    requires_python, metadata_sha256, published_at)
SELECT n.filename, n.build_id, n.pkg_id, n.ver_id, 1000 + n.ver_id % 100000, sha256(n.filename::bytea), n.python_tag,
    n.abi_tag, CASE WHEN n.abi_tag = 'none' THEN 'any' ELSE 'linux_armv7l' END, '>=3.9',
    sha256(n.filename::bytea || '.metadata'), n.built_at
FROM (
    SELECT 'project_' || lpad(v.pkg_id::text, 7, '0') || '-' || v.version || '-' || t.python_tag || '-' || t.abi_tag
            || CASE WHEN t.abi_tag = 'none' THEN '-any.whl' ELSE '-linux_armv7l.whl' END AS filename,
        b.build_id, v.pkg_id, v.ver_id, t.python_tag, t.abi_tag, b.built_at
    FROM piw.build b JOIN piw.version v ON v.ver_id = b.ver_id JOIN piw.abi a ON a.abi_id = b.abi_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN k.kind < 460 THEN 'py3' WHEN k.kind < 490 THEN a.tag ELSE 'cp39' END AS python_tag,
            CASE WHEN k.kind < 460 THEN 'none' WHEN k.kind < 490 THEN a.tag ELSE 'abi3' END AS abi_tag
        FROM (SELECT pg_temp.draw(v.ver_id, 1) AS kind) AS k
    ) AS t
    WHERE b.outcome = 'built'
) AS n;

SELECT setval('piw.build_id_seq', (SELECT max(b.build_id) FROM piw.build b)),
    setval(pg_get_serial_sequence('piw.package', 'pkg_id'), (SELECT max(p.pkg_id) FROM piw.package p)),
    setval(pg_get_serial_sequence('piw.version', 'ver_id'), {versions});
INSERT INTO piw.stat_total (kind, n, amount)
SELECT replace(c.kind, ':amount', ''), sum(c.counted) FILTER (WHERE c.kind NOT LIKE '%:amount'),
    sum(c.counted) FILTER (WHERE c.kind LIKE '%:amount')
FROM piw._counted() c GROUP BY replace(c.kind, ':amount', '')
ON CONFLICT (kind) DO UPDATE SET n = EXCLUDED.n, amount = EXCLUDED.amount;
DROP TABLE project, judged;
