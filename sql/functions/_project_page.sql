-- Everything that a project's pages are made from, read at one moment. Null members where nothing is known.
--   display          the author's spelling of its name
--   status, status_reason   PEP 792
--   versions         that are known and not removed, oldest first
--   abis, releases   how each release stands with each ABI (_page_releases.sql)
--   files            newest version first (_page_files.sql), without what is withheld; none while it is under
--                    quarantine: {filename, alias_of, version, size, sha256, requires_python, metadata_sha256, yanked, uploaded, abi: whose build made it,
--                    apt: packages of the slave's system that its libraries are in, requires: Requires-Dist of its
--                    METADATA}; digests in hexadecimal digits, `uploaded` as PEP 700 has it. `requires` is null behind
--                    the first 256 KiB of all of them: how much there is, authors of packages say
--   gone             files that were withdrawn and must go from the disk behind the page
--   builds           the newest 100 attempts, newest first: {build, version, abi, outcome, duration_ms, report}; the reports
--                    of the newest of them, 256 KiB at most: what slaves say is bounded for each, and here for all
-- In plpgsql, which keeps its plan: planning it takes longer than most pages do.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._project_page(p_pkg integer) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = piw, pg_temp SET jit = off
AS $$
BEGIN
    RETURN (SELECT json_build_object('display', p.display, 'status', p.status, 'status_reason', p.status_reason,
        'abis', r.abis, 'releases', r.releases,
        'versions', (
            SELECT coalesce(json_agg(v.version ORDER BY v.sort_key), '[]') FROM version v
            WHERE v.pkg_id = p_pkg AND (v.removed_at IS NULL OR EXISTS (SELECT FROM file f WHERE f.ver_id = v.ver_id))
        ),
        'files', (
            SELECT coalesce(json_agg(json_build_object('filename', o.filename, 'alias_of', o.alias_of,
                'version', o.version, 'size', o.size, 'sha256', encode(o.sha256, 'hex'),
                'requires_python', o.requires_python, 'metadata_sha256', encode(o.metadata_sha256, 'hex'),
                'yanked', o.yanked, 'abi', a.tag, 'apt', CASE WHEN o.filename NOT LIKE '%-any.whl' THEN b.apt END,
                'requires', CASE WHEN o.length_so_far <= 262144 THEN o.requires_dist END,
                'uploaded', to_char(o.published_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                ORDER BY o.sort_key DESC, o.filename), '[]')
            FROM (
                SELECT f.*, v.version, v.sort_key, coalesce(v.yank, v.yanked) AS yanked,
                    sum(octet_length(f.requires_dist::text)) OVER (ORDER BY v.sort_key DESC, f.filename) AS length_so_far
                FROM _page_files(p_pkg) f JOIN version v ON v.ver_id = f.ver_id
                WHERE f.withheld IS NULL
            ) AS o
            -- one look-up for each: a join could be made by reading all builds of the farm
            CROSS JOIN LATERAL (SELECT d.abi_id, d.apt FROM build d WHERE d.build_id = o.build_id OFFSET 0) AS b
            JOIN abi a ON a.abi_id = b.abi_id
            WHERE p.status <> 'quarantined'
        ),
        'gone', (
            SELECT coalesce(json_agg(w.filename ORDER BY w.filename), '[]') FROM withdrawn w
            WHERE w.pkg_id = p_pkg AND w.pending
        ),
        'builds', (
            SELECT coalesce(json_agg(json_build_object('build', n.build_id, 'version', n.version, 'abi', n.tag,
                'outcome', n.outcome, 'duration_ms', n.duration_ms,
                'report', CASE WHEN n.length_so_far <= 262144 THEN n.report END) ORDER BY n.build_id DESC), '[]')
            FROM (
                SELECT o.*, sum(octet_length(o.report::text)) OVER (ORDER BY o.build_id DESC) AS length_so_far
                FROM (
                    SELECT d.build_id, v.version, a.tag, d.outcome, d.duration_ms, d.report
                    FROM version v JOIN build d ON d.ver_id = v.ver_id JOIN abi a ON a.abi_id = d.abi_id
                    WHERE v.pkg_id = p_pkg AND p.status <> 'quarantined'
                    ORDER BY d.build_id DESC LIMIT 100
                ) AS o
            ) AS n
        ))
    FROM package p CROSS JOIN LATERAL _page_releases(p.pkg_id) AS r WHERE p.pkg_id = p_pkg);
END
$$;
