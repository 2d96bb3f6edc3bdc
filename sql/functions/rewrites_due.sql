-- The pages that have been due for longest, each with its order's number and the project's files, newest version
-- first, with the names for other platforms (_page_files.sql); no files for the root and for a project whose page must go, which one under quarantine is. `gone` names the
-- files that were withdrawn and must go from the disk behind the page; `builds` and what stands beside it are the newest
-- 100 attempts at the project, with the reports of the newest of them, 256 KiB of these at most: what slaves say is bounded
-- for each, and here for all. Order and rows are read at one moment, so a page written from them lacks nothing that its
-- order stands for. At most 64.
-- Orders whose package was deleted name no page any more: they are dropped, as many as are asked for at a time.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.rewrites_due(p_limit integer)
RETURNS TABLE (kind text, name text, ordered bigint, display text, filenames text[], sha256s bytea[],
    requires text[], metadata bytea[], yanked text[], aliases text[], gone text[], builds bigint[], versions text[], abis text[], outcomes text[],
    durations bigint[], reports text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 64 THEN
        RAISE EXCEPTION 'between 1 and 64 pages are asked for at a time' USING ERRCODE = '22023';
    END IF;
    WITH oldest AS (
        SELECT o.kind, o.pkg_id FROM rewrite o ORDER BY o.ordered_at, o.kind, o.pkg_id LIMIT p_limit
    )
    DELETE FROM rewrite r USING oldest o
    WHERE r.kind = o.kind AND r.pkg_id = o.pkg_id AND r.kind = 'project'
        AND NOT EXISTS (SELECT FROM package p WHERE p.pkg_id = r.pkg_id);
    RETURN QUERY
        SELECT r.kind, coalesce(r.name, ''), r.ordered, coalesce(r.display, ''), f.filenames, f.sha256s, f.requires,
            f.metadata, f.yanked, f.aliases,
            ARRAY(SELECT w.filename FROM withdrawn w WHERE w.pkg_id = r.pkg_id AND w.pending ORDER BY w.filename),
            b.builds, b.versions, b.abis, b.outcomes, b.durations, b.reports
        FROM (
            SELECT o.*, p.name, p.display, p.status FROM rewrite o LEFT JOIN package p ON p.pkg_id = o.pkg_id
            WHERE o.kind = 'root' OR p.pkg_id IS NOT NULL
            ORDER BY o.ordered_at, o.kind, o.pkg_id LIMIT p_limit
        ) AS r
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(o.filename ORDER BY v.sort_key DESC, o.filename), '{}') AS filenames,
                coalesce(array_agg(o.sha256 ORDER BY v.sort_key DESC, o.filename), '{}') AS sha256s,
                coalesce(array_agg(o.requires_python ORDER BY v.sort_key DESC, o.filename), '{}') AS requires,
                coalesce(array_agg(o.metadata_sha256 ORDER BY v.sort_key DESC, o.filename), '{}') AS metadata,
                coalesce(array_agg(v.yanked ORDER BY v.sort_key DESC, o.filename), '{}') AS yanked,
                coalesce(array_agg(o.alias_of ORDER BY v.sort_key DESC, o.filename), '{}') AS aliases
            FROM _page_files(r.pkg_id) o JOIN version v ON v.ver_id = o.ver_id
            WHERE r.status <> 'quarantined'
        ) AS f
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(n.build_id ORDER BY n.build_id DESC), '{}') AS builds,
                coalesce(array_agg(n.version ORDER BY n.build_id DESC), '{}') AS versions,
                coalesce(array_agg(n.tag ORDER BY n.build_id DESC), '{}') AS abis,
                coalesce(array_agg(n.outcome ORDER BY n.build_id DESC), '{}') AS outcomes,
                coalesce(array_agg(n.duration_ms ORDER BY n.build_id DESC), '{}') AS durations,
                coalesce(array_agg(CASE WHEN n.length_so_far <= 262144 THEN n.report::text END
                    ORDER BY n.build_id DESC), '{}') AS reports
            FROM (
                SELECT o.*, sum(octet_length(o.report::text)) OVER (ORDER BY o.build_id DESC) AS length_so_far
                FROM (
                    SELECT d.build_id, v.version, a.tag, d.outcome, d.duration_ms, d.report
                    FROM version v JOIN build d ON d.ver_id = v.ver_id JOIN abi a ON a.abi_id = d.abi_id
                    WHERE v.pkg_id = r.pkg_id AND r.status <> 'quarantined'
                    ORDER BY d.build_id DESC LIMIT 100
                ) AS o
            ) AS n
        ) AS b
        ORDER BY r.ordered_at, r.kind, r.pkg_id;
END
$$;
