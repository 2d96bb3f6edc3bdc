-- Versions whose requirements are to be worked out, at most p_limit: number and turn, which deps_found is told again,
-- package and version, the extras that are wanted (at most 100), and of each file its tags (python-abi-platform) and its
-- Requires-Dist, one a line. `wheel` is the index's wheel for everybody, whose METADATA says
-- it of a version that the farm has no file of; null otherwise.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.deps_due(p_limit integer)
RETURNS TABLE (ver_id integer, turn bigint, package text, version text, extras text[], tags text[],
    requires text[], wheel text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'between 1 and 100 versions at a time' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
        SELECT d.ver_id, d.turn, p.name, v.version,
            ARRAY(SELECT e.extra FROM wanted_extra e WHERE e.ver_id = d.ver_id ORDER BY e.extra LIMIT 100), f.tags, f.requires, CASE WHEN f.tags = '{}' THEN v.pure END
        FROM (SELECT o.ver_id, o.turn FROM deps_due o ORDER BY o.turn LIMIT p_limit) AS d
        JOIN version v ON v.ver_id = d.ver_id JOIN package p ON p.pkg_id = v.pkg_id
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(concat_ws('-', o.python_tag, o.abi_tag, o.platform_tag) ORDER BY o.file_id), '{}')
                AS tags,
                coalesce(array_agg(array_to_string(o.requires_dist, E'\n') ORDER BY o.file_id), '{}') AS requires
            FROM file o WHERE o.ver_id = d.ver_id
        ) AS f
        ORDER BY d.turn;
END
$$;
