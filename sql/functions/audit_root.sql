-- What the root index is to name, a piece at a time: projects with files to show, in the order of their names after a given
-- one (null: from the beginning), as JSON; `next` is the last of them, or null when there are no more. `root_due` and
-- `home_due` say that the root index and the home page are to be written. At most 10,000.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.audit_root(p_after text, p_limit integer) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'between 1 and 10,000 projects are asked for at a time' USING ERRCODE = '22023';
    END IF;
    RETURN (
        SELECT jsonb_build_object(
            'root_due', EXISTS (SELECT FROM rewrite r WHERE r.kind = 'root'),
            'home_due', EXISTS (SELECT FROM rewrite r WHERE r.kind = 'home'),
            'next', CASE WHEN count(*) = p_limit THEN max(p.name) END,
            'projects', coalesce(jsonb_agg(p.name ORDER BY p.name), '[]'))::text
        FROM (
            SELECT o.name FROM package o WHERE o.published AND o.name > coalesce(p_after, '') ORDER BY o.name LIMIT p_limit
        ) AS p
    );
END
$$;
