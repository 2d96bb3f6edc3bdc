-- The page was written from the rows of this order, and what was withdrawn before it is gone from the disk. An order that
-- came since stays, because its number differs.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.rewrite_done(p_kind text, p_name text, p_ordered bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_pkg integer;
BEGIN
    PERFORM _check_order(p_kind, p_name, p_ordered);
    DELETE FROM rewrite r
    WHERE r.kind = p_kind AND r.ordered = p_ordered
        AND r.pkg_id = CASE WHEN p_kind = 'project' THEN (SELECT p.pkg_id FROM package p WHERE p.name = p_name) ELSE 0 END
    RETURNING r.pkg_id INTO v_pkg;
    UPDATE withdrawn w SET pending = false WHERE w.pkg_id = v_pkg AND w.pending;
END
$$;
