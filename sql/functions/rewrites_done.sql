-- The pages were written from the rows of these orders, and what was withdrawn before them is gone from the disk. An order that
-- came since stays, because its number differs. A list for each of their columns; names of projects only. At most 64.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.rewrites_done(p_kinds text[], p_names text[], p_ordered bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    PERFORM _check_orders(p_kinds, p_names, p_ordered);
    WITH done AS (
        DELETE FROM rewrite r USING _lock_orders(p_kinds, p_names, p_ordered) AS d
        WHERE r.kind = d.kind AND r.pkg_id = d.pkg_id
        RETURNING r.kind, r.pkg_id
    )
    UPDATE withdrawn w SET pending = false FROM done d
    WHERE d.kind = 'project' AND w.pkg_id = d.pkg_id AND w.pending;
END
$$;
