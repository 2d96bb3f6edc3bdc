-- The page could not be written from the rows of this order: it goes to the end of the line, because a page that keeps
-- failing would keep its place at the front and the others from being written. An order that came since stays where it
-- is, because its number differs.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.rewrite_failed(p_kind text, p_name text, p_ordered bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    PERFORM _check_order(p_kind, p_name, p_ordered);
    UPDATE rewrite r SET ordered_at = clock_timestamp()
    WHERE r.kind = p_kind AND r.ordered = p_ordered
        AND r.pkg_id = CASE WHEN p_kind = 'project' THEN (SELECT p.pkg_id FROM package p WHERE p.name = p_name) ELSE 0 END;
END
$$;
