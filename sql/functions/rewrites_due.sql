-- The pages that have been due for longest, each with its order's number and, for a project's, what it is made from
-- (_project_page.sql). Order and rows are read at one moment, so a page written from them lacks nothing that its order
-- stands for. At most 64. What an operator ordered in bulk gets a quarter of the places while other pages wait, and all
-- that are left over: a rebuild of everything neither holds up a new wheel's page nor waits for a quiet moment.
-- Orders whose package was deleted name no page any more: they are dropped, as many as are asked for at a time.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.rewrites_due(p_limit integer)
RETURNS TABLE (kind text, name text, ordered bigint, page text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp SET jit = off
AS $$
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 64 THEN
        RAISE EXCEPTION 'between 1 and 64 pages are asked for at a time' USING ERRCODE = '22023';
    END IF;
    WITH oldest AS (
        (SELECT o.kind, o.pkg_id FROM rewrite o WHERE NOT o.bulk ORDER BY o.ordered_at, o.kind, o.pkg_id LIMIT p_limit)
        UNION ALL
        (SELECT o.kind, o.pkg_id FROM rewrite o WHERE o.bulk ORDER BY o.ordered_at, o.kind, o.pkg_id LIMIT p_limit)
    )
    DELETE FROM rewrite r USING oldest o
    WHERE r.kind = o.kind AND r.pkg_id = o.pkg_id AND r.kind = 'project'
        AND NOT EXISTS (SELECT FROM package p WHERE p.pkg_id = r.pkg_id);
    RETURN QUERY
        WITH due AS (
            SELECT o.*, p.name, row_number() OVER (PARTITION BY o.bulk ORDER BY o.ordered_at, o.kind, o.pkg_id) AS place
            FROM (
                (SELECT * FROM rewrite r WHERE NOT r.bulk ORDER BY r.ordered_at, r.kind, r.pkg_id LIMIT p_limit)
                UNION ALL
                (SELECT * FROM rewrite r WHERE r.bulk ORDER BY r.ordered_at, r.kind, r.pkg_id LIMIT p_limit)
            ) AS o
            LEFT JOIN package p ON p.pkg_id = o.pkg_id
            WHERE o.pkg_id = 0 OR p.pkg_id IS NOT NULL
        ), chosen AS (
            SELECT d.* FROM due d
            ORDER BY CASE WHEN d.bulk AND d.place > p_limit / 4 THEN 2 WHEN NOT d.bulk AND d.place > p_limit - p_limit / 4
                THEN 1 ELSE 0 END, d.bulk, d.place
            LIMIT p_limit
        )
        SELECT c.kind, coalesce(c.name, ''), c.ordered, CASE WHEN c.kind = 'project' THEN _project_page(c.pkg_id)::text END
        FROM chosen c
        ORDER BY c.bulk, c.ordered_at, c.kind, c.pkg_id;
END
$$;
