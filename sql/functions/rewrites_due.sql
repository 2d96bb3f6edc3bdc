-- The pages that have been due for longest, each with its order's number and, for a project's, what it is made from
-- (views/project_page.sql). Order and rows are read at one moment, so a page written from them lacks nothing that its order
-- stands for. At most 64; of projects' rows at most 4 MiB and the project that goes beyond, and none any more after a second.
-- p_except: orders, at most 2,000, that are left out because they are being carried out or wait for their time. A newer order for their
-- pages has another number. more: others are due, too (in the last row).
-- What an operator ordered in bulk gets a quarter of the places while other pages wait, and all
-- that are left over: a rebuild of everything neither holds up a new wheel's page nor waits for a quiet moment.
-- Orders whose package was deleted name no page any more: they are dropped, as many as are asked for at a time.
-- One statement for all, and its plan is kept: to plan it takes longer than to read ten pages. Its rows come one by one, so
-- that what is not fetched is not worked out.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.rewrites_due(p_limit integer, p_except bigint[])
RETURNS TABLE (kind text, name text, ordered bigint, page text, more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    c_bytes CONSTANT bigint := 4194304;
    c_time CONSTANT interval := '1 second';
    v_end timestamptz := clock_timestamp() + c_time;
    v_bytes bigint := 0;
    v_left bigint;
    v_due CURSOR FOR
        WITH due AS (
            SELECT o.*, p.name, row_number() OVER (PARTITION BY o.bulk ORDER BY o.ordered_at, o.kind, o.pkg_id) AS place
            FROM (
                (SELECT * FROM rewrite r WHERE NOT r.bulk AND r.ordered <> ALL (p_except)
                    ORDER BY r.ordered_at, r.kind, r.pkg_id LIMIT p_limit + 1)
                UNION ALL
                (SELECT * FROM rewrite r WHERE r.bulk AND r.ordered <> ALL (p_except)
                    ORDER BY r.ordered_at, r.kind, r.pkg_id LIMIT p_limit + 1)
            ) AS o
            LEFT JOIN package p ON p.pkg_id = o.pkg_id
            WHERE o.pkg_id = 0 OR p.pkg_id IS NOT NULL
        ), chosen AS MATERIALIZED (
            SELECT d.*, count(*) OVER () AS all_due FROM due d
            ORDER BY CASE WHEN d.bulk AND d.place > p_limit / 4 THEN 2 WHEN NOT d.bulk AND d.place > p_limit - p_limit / 4
                THEN 1 ELSE 0 END, d.bulk, d.place
            LIMIT p_limit
        )
        SELECT c.kind, coalesce(c.name, '') AS name, c.ordered, c.all_due, g.page
        FROM (SELECT * FROM chosen h ORDER BY h.bulk, h.ordered_at, h.kind, h.pkg_id OFFSET 0) AS c
        LEFT JOIN LATERAL (SELECT j.page::text FROM project_page j WHERE j.pkg_id = c.pkg_id OFFSET 0) AS g ON true;
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 64 OR p_except IS NULL OR cardinality(p_except) > 2000 THEN
        RAISE EXCEPTION 'between 1 and 64 pages are asked for at a time, and 2,000 left out' USING ERRCODE = '22023';
    END IF;
    WITH oldest AS (
        (SELECT o.kind, o.pkg_id FROM rewrite o WHERE NOT o.bulk AND o.ordered <> ALL (p_except)
            ORDER BY o.ordered_at, o.kind, o.pkg_id LIMIT p_limit)
        UNION ALL
        (SELECT o.kind, o.pkg_id FROM rewrite o WHERE o.bulk AND o.ordered <> ALL (p_except)
            ORDER BY o.ordered_at, o.kind, o.pkg_id LIMIT p_limit)
    )
    DELETE FROM rewrite r USING oldest o
    WHERE r.kind = o.kind AND r.pkg_id = o.pkg_id AND r.kind = 'project'
        AND NOT EXISTS (SELECT FROM package p WHERE p.pkg_id = r.pkg_id);
    FOR v_row IN v_due LOOP
        v_left := coalesce(v_left, v_row.all_due) - 1;
        kind := v_row.kind;
        name := v_row.name;
        ordered := v_row.ordered;
        page := v_row.page;
        more := v_left > 0;
        RETURN NEXT;
        v_bytes := v_bytes + coalesce(octet_length(page), 0);
        EXIT WHEN v_bytes > c_bytes OR clock_timestamp() > v_end;
    END LOOP;
END
$$;
