-- What the audit of the web tree is to find, a piece at a time: projects in the order of their names after a given one
-- (null: from the beginning), as JSON. Something of each may be in the tree: files, files that are
-- just going, a page of builds; those of which there is nothing are left out. `next` is the last name looked at, or null
-- when there are no more. At most 1,000 projects are looked at.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.audit_projects(p_after text, p_limit integer) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'between 1 and 1,000 projects are asked for at a time' USING ERRCODE = '22023';
    END IF;
    RETURN (
        SELECT jsonb_build_object(
            'next', CASE WHEN count(*) = p_limit THEN max(p.name) END,
            'projects', coalesce(jsonb_agg(p.name ORDER BY p.name) FILTER (WHERE p.kept), '[]'))::text
        FROM (
            SELECT o.name, o.published OR _is_kept(o.pkg_id) AS kept
            FROM package o WHERE o.name > coalesce(p_after, '') ORDER BY o.name LIMIT p_limit
        ) AS p
    );
END
$$;
