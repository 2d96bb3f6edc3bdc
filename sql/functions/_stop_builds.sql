-- The builds under way of a package's versions that must not be built any more: the master cancels them.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._stop_builds(p_pkg integer) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT coalesce(array_agg(l.build_id ORDER BY l.build_id), '{}')
    FROM version v JOIN vstate s ON s.ver_id = v.ver_id
    JOIN lease l ON l.ver_id = v.ver_id AND l.ended IS NULL
    WHERE v.pkg_id = p_pkg AND s.blocked
$$;
