-- Everything that a project's pages are made from, as one JSON document, read at one moment. What is there once is a member, of
-- what is there often each is a list, in this order (which is that of `src/master/query/pages.rs`): objects would take a
-- quarter longer. Null where nothing is known.
--   display          the author's spelling of its name
--   status, status_reason   PEP 792
--   versions         that are known and not removed, oldest first
--   abis             the farm's, in the order of their ranks, retired ones too: [tag, retired: why, or null]
--   releases         how each stands with each ABI (page_releases.sql)
--   files            newest version first (page_file.sql), without what is withheld; none while it is under
--                    quarantine: [filename, version, size, sha256, requires_python, metadata_sha256, yanked, uploaded, alias_of,
--                    abi: whose build made it, apt: packages of the slave's system that its libraries are in,
--                    requires: Requires-Dist of its METADATA]; digests in hexadecimal digits, `uploaded` as PEP 700 has it.
--                    `requires` is null behind the first 256 KiB of all of them: how much there is, authors of packages say
--   gone             files that were withdrawn and must go from the disk behind the page
--   builds           the newest 100 attempts, newest first: [build, version, abi, outcome, duration_ms, report]; the reports
--                    of the newest of them, 256 KiB at most: what slaves say is bounded for each, and here for all
-- Read for one pkg_id after the other, in one statement for many (functions/rewrites_due.sql): to plan it takes longer than to
-- read ten pages, and to set it going as long as one.
-- May be read by: functions of this schema.
CREATE VIEW piw.project_page AS
SELECT p.pkg_id, json_build_object('display', p.display, 'status', p.status, 'status_reason', p.status_reason,
    'abis', (SELECT coalesce(json_agg(json_build_array(a.tag, a.skip) ORDER BY a.rank), '[]') FROM piw.abi a),
    'releases', (SELECT r.releases FROM piw.page_releases r WHERE r.pkg_id = p.pkg_id),
    'versions', (
        SELECT coalesce(json_agg(v.version ORDER BY v.sort_key), '[]') FROM piw.version v
        WHERE v.pkg_id = p.pkg_id
            AND (v.removed_at IS NULL OR EXISTS (SELECT FROM piw.file f WHERE f.ver_id = v.ver_id))
    ),
    'files', (
        SELECT coalesce(json_agg(json_build_array(o.filename, o.version, o.size, encode(o.sha256, 'hex'), o.requires_python,
            encode(o.metadata_sha256, 'hex'), o.yanked,
            to_char(o.published_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), o.alias_of, a.tag,
            CASE WHEN o.filename NOT LIKE '%-any.whl' THEN b.apt END,
            CASE WHEN o.length_so_far <= 262144 THEN o.requires_dist END)
            ORDER BY o.sort_key DESC, o.filename), '[]')
        FROM (
            SELECT f.*, v.version, v.sort_key, coalesce(v.yank, v.yanked) AS yanked,
                sum(octet_length(f.requires_dist::text)) OVER (ORDER BY v.sort_key DESC, f.filename) AS length_so_far
            FROM piw.page_file f
            CROSS JOIN LATERAL (
                SELECT w.version, w.sort_key, w.yank, w.yanked FROM piw.version w WHERE w.ver_id = f.ver_id OFFSET 0
            ) AS v
            WHERE f.pkg_id = p.pkg_id AND f.withheld IS NULL
        ) AS o
        -- one look-up for each: a join could be made by reading all builds of the farm
        CROSS JOIN LATERAL (SELECT d.abi_id, d.apt FROM piw.build d WHERE d.build_id = o.build_id OFFSET 0) AS b
        JOIN piw.abi a ON a.abi_id = b.abi_id
        WHERE p.status <> 'quarantined'
    ),
    'gone', (
        SELECT coalesce(json_agg(w.filename ORDER BY w.filename), '[]') FROM piw.withdrawn w
        WHERE w.pkg_id = p.pkg_id AND w.pending
    ),
    'builds', (
        SELECT coalesce(json_agg(json_build_array(n.build_id, n.version, n.tag, n.outcome, n.duration_ms,
            CASE WHEN n.length_so_far <= 262144 THEN n.report END) ORDER BY n.build_id DESC), '[]')
        FROM (
            SELECT o.*, sum(octet_length(o.report::text)) OVER (ORDER BY o.build_id DESC) AS length_so_far
            FROM (
                SELECT d.build_id, v.version, a.tag, d.outcome, d.duration_ms, d.report
                FROM piw.version v JOIN piw.build d ON d.ver_id = v.ver_id JOIN piw.abi a ON a.abi_id = d.abi_id
                WHERE v.pkg_id = p.pkg_id AND p.status <> 'quarantined'
                ORDER BY d.build_id DESC LIMIT 100
            ) AS o
        ) AS n
    )) AS page
FROM piw.package p;
