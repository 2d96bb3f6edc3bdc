-- Versions whose files' requirements are to be worked out, at most p_limit: number, package and version for people, and of
-- each file its tags (python-abi-platform) and its Requires-Dist, one a line.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.deps_due(p_limit integer)
RETURNS TABLE (ver_id integer, package text, version text, tags text[], requires text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'between 1 and 100 versions at a time' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
        SELECT d.ver_id, p.name, v.version, f.tags, f.requires
        FROM (SELECT o.ver_id FROM deps_due o ORDER BY o.ver_id LIMIT p_limit) AS d
        JOIN version v ON v.ver_id = d.ver_id JOIN package p ON p.pkg_id = v.pkg_id
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(concat_ws('-', o.python_tag, o.abi_tag, o.platform_tag) ORDER BY o.file_id), '{}')
                AS tags,
                coalesce(array_agg(array_to_string(o.requires_dist, E'\n') ORDER BY o.file_id), '{}') AS requires
            FROM file o WHERE o.ver_id = d.ver_id
        ) AS f
        ORDER BY d.ver_id;
END
$$;
