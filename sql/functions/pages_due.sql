-- Pages to be read next, at most p_limit of them: those of versions that would be handed out soon and were not checked
-- yet (before the p_ahead-th job of their ABI that may be handed out), and behind those pages that are due by themselves,
-- oldest first. With each: its ETag, unless something is known that happened after it was read; the serial that it must
-- have reached; what new releases of it are wanted (specifiers, and since when, in seconds since 1970).
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.pages_due(p_limit integer, p_ahead integer)
RETURNS TABLE (name text, etag text, serial bigint, specifiers text[], since bigint[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 100 OR p_ahead IS NULL OR p_ahead NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'between 1 and 100 pages are asked for, for 1 to 1,000 jobs ahead' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
        WITH head AS (
            SELECT a.rank, soon.prio, soon.ver_id
            FROM abi a
            CROSS JOIN LATERAL (
                SELECT coalesce((SELECT q.prio FROM queue q WHERE q.abi_id = a.abi_id AND q.ready
                    ORDER BY q.prio, q.ver_id OFFSET p_ahead - 1 LIMIT 1), 9223372036854775807) AS prio
            ) AS horizon
            CROSS JOIN LATERAL (
                SELECT q.prio, q.ver_id FROM queue q WHERE q.abi_id = a.abi_id AND NOT q.ready AND q.prio <= horizon.prio
                ORDER BY q.prio, q.ver_id LIMIT p_limit
            ) AS soon
        ), wanted AS (
            SELECT DISTINCT ON (w.pkg_id) w.pkg_id, w.place, w.prio FROM (
                SELECT v.pkg_id, 0 AS place, min(h.prio) AS prio FROM head h JOIN version v ON v.ver_id = h.ver_id
                GROUP BY v.pkg_id
                UNION ALL
                (SELECT p.pkg_id, 1, (extract(epoch FROM p.read_due) * 1000000)::bigint FROM package p
                    WHERE p.read_due <= now() ORDER BY p.read_due LIMIT p_limit)
            ) AS w
            ORDER BY w.pkg_id, w.place
        )
        SELECT p.name, CASE WHEN p.page_serial >= p.serial THEN p.etag END, p.serial,
            ARRAY(SELECT o.specifiers FROM wish o WHERE o.pkg_id = p.pkg_id ORDER BY o.specifiers LIMIT 100),
            ARRAY(SELECT floor(extract(epoch FROM o.asked_at))::bigint FROM wish o WHERE o.pkg_id = p.pkg_id
                ORDER BY o.specifiers LIMIT 100)
        FROM wanted w JOIN package p ON p.pkg_id = w.pkg_id
        ORDER BY w.place, w.prio, w.pkg_id LIMIT p_limit;
END
$$;
