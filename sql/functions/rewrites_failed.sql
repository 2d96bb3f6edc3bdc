-- The pages could not be written from the rows of these orders: they go to the end of the line, because pages that keep
-- failing would keep their places at the front and the others from being written. An order that came since stays where it
-- is, because its number differs. A list for each of their columns; names of projects only. At most 64.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.rewrites_failed(p_kinds text[], p_names text[], p_ordered bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    PERFORM _check_orders(p_kinds, p_names, p_ordered);
    UPDATE rewrite r SET ordered_at = clock_timestamp() FROM _lock_orders(p_kinds, p_names, p_ordered) AS d
    WHERE r.kind = d.kind AND r.pkg_id = d.pkg_id;
END
$$;
