-- The number of the order by which a project's page is due; 0 where none is. Once a page of this order or a later one is
-- written, what the caller's transaction did is to be seen on it, and what it withdrew is gone from the disk.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._page_ordered(p_pkg integer) RETURNS bigint
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT coalesce((SELECT r.ordered FROM rewrite r WHERE r.kind = 'project' AND r.pkg_id = p_pkg), 0)
$$;
