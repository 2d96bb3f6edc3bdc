-- What the audit of the web tree is to find, a piece at a time: projects in the order of their names after a given one
-- (null: from the beginning), as JSON. `kept` says that something of the project may be in the tree: files, files that are
-- just going, a page of builds; `published`, that the root index names it. `next` is the last name looked at, or null
-- when there are no more; `root_due` says that the root index is to be written. At most 1,000 projects are looked at.
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
            'root_due', EXISTS (SELECT FROM rewrite r WHERE r.kind = 'root'),
            'next', CASE WHEN count(*) = p_limit THEN max(p.name) END,
            'projects', coalesce(jsonb_agg(jsonb_build_object('name', p.name, 'published', p.published, 'kept', p.kept)
                ORDER BY p.name) FILTER (WHERE p.kept OR p.published), '[]'))::text
        FROM (
            SELECT o.name, o.published, _is_kept(o.pkg_id) AS kept
            FROM package o WHERE o.name > coalesce(p_after, '') ORDER BY o.name LIMIT p_limit
        ) AS p
    );
END
$$;
