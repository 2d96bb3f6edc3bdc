-- Those of these orders that are still the newest of their pages, locked, in the order in which bulks are ordered, so that neither
-- waits for the other. What is no order is refused by _check_orders, which is to be asked before.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._lock_orders(p_kinds text[], p_names text[], p_ordered bigint[])
RETURNS TABLE (kind text, pkg_id integer)
LANGUAGE plpgsql ROWS 64 SET search_path = piw, pg_temp
AS $$
BEGIN
    RETURN QUERY
        SELECT r.kind, r.pkg_id
        FROM unnest(p_kinds, p_names, p_ordered) AS o(kind, name, ordered)
        LEFT JOIN package p ON o.kind = 'project' AND p.name = o.name
        JOIN rewrite r ON r.kind = o.kind AND r.pkg_id = CASE WHEN o.kind = 'project' THEN p.pkg_id ELSE 0 END
            AND r.ordered = o.ordered
        ORDER BY r.kind, r.pkg_id
        FOR UPDATE OF r;
END
$$;
